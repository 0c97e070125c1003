import fc from "fast-check";
import { expect, it } from "vitest";
import { FILE_HEADER, frameRecord, readRecords } from "./log-frames.js";

const BLOCK = 32 * 1024;

function fileOf(records: readonly Buffer[]): Buffer {
  let file = FILE_HEADER;
  for (const record of records) file = Buffer.concat([file, frameRecord(record, file.length)]);
  return file;
}

const recordsIn = (file: Buffer): Buffer[] => Array.from(readRecords(file), ({ record }) => record);

it("records of any length are read back, with where each ends", () => {
  const length = fc.oneof(fc.nat(50), fc.nat(3 * BLOCK), fc.integer({ min: BLOCK - 40, max: BLOCK }));
  fc.assert(
    fc.property(fc.array(length, { maxLength: 8 }), (lengths) => {
      const records = lengths.map((bytes, i) => Buffer.alloc(bytes, i + 1));
      const file = fileOf(records);
      const read = [...readRecords(file)];
      expect(read.map(({ record }) => record)).toEqual(records);
      for (const [i, { end }] of read.entries()) expect(file.subarray(0, end)).toEqual(fileOf(records.slice(0, i + 1)));
    }),
  );
});

it("a file that ends anywhere gives the records that are whole", () => {
  const records = [BLOCK - 30, 5, 70, 40_000, 3].map((bytes, i) => Buffer.alloc(bytes, i + 1));
  const file = fileOf(records);
  const ends = Array.from(readRecords(file), ({ end }) => end);
  for (let length = FILE_HEADER.length; length < file.length; length += 13) {
    expect(recordsIn(file.subarray(0, length))).toEqual(records.slice(0, ends.filter((end) => end <= length).length));
  }
});

it("a damaged byte ends a file before its record", () => {
  const records = [10, 20, 30].map((bytes, i) => Buffer.alloc(bytes, i + 1));
  const file = fileOf(records);
  const [, second] = readRecords(file);
  file[second!.end - 1]! ^= 1;
  expect(recordsIn(file)).toEqual(records.slice(0, 1));
});
