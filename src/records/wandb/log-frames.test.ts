import { expect, it } from "vitest";
import { FILE_HEADER, frameRecord, readFramedRecords } from "./log-frames.js";

const BLOCK = 32 * 1024;

const recordsOf = (...lengths: readonly number[]): Buffer[] => lengths.map((length, i) => Buffer.alloc(length, i + 1));

function fileOf(records: readonly Buffer[]): Buffer {
  let file = FILE_HEADER;
  for (const record of records) file = Buffer.concat([file, frameRecord(record, file.length)]);
  return file;
}

/** Contents without a comparison of every byte by itself. */
const shown = (records: readonly Buffer[]): string[] => records.map((record) => record.toString("latin1"));

const recordsIn = (file: Buffer): string[] => shown(Array.from(readFramedRecords(file), ({ record }) => record));

it("records of any length are read back, wherever they meet the end of a block", () => {
  for (let length = BLOCK - 60; length <= BLOCK; length++) {
    const records = recordsOf(length, 0, 10, 0, BLOCK, 3 * BLOCK + length, 1);
    expect(recordsIn(fileOf(records))).toEqual(shown(records));
  }
});

it("a record's end is the length of the file that ends with it", () => {
  const records = recordsOf(0, 40_000, 5, BLOCK - 30, 70, 1);
  const ends = Array.from(readFramedRecords(fileOf(records)), ({ end }) => end);
  expect(ends).toEqual(records.map((_, i) => fileOf(records.slice(0, i + 1)).length));
});

it("a file that ends anywhere gives the records that are whole", () => {
  const records = recordsOf(BLOCK - 30, 5, 70, 40_000, 3);
  const file = fileOf(records);
  const ends = Array.from(readFramedRecords(file), ({ end }) => end);
  for (let length = FILE_HEADER.length; length < file.length; length += 61) {
    const numWhole = ends.filter((end) => end <= length).length;
    expect(recordsIn(file.subarray(0, length))).toEqual(shown(records.slice(0, numWhole)));
  }
});

it("a damaged byte ends a file before its record", () => {
  const records = recordsOf(10, 20, 30);
  const file = fileOf(records);
  const [, second] = readFramedRecords(file);
  file[second!.end - 1]! ^= 1;
  expect(recordsIn(file)).toEqual(shown(records.slice(0, 1)));
});
