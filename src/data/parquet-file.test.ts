import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DatasetError } from "../support/errors.js";
import { isNumeric, makeFeature } from "./feature.js";
import { readNumericColumn } from "./numeric-column.js";
import { ParquetFile } from "./parquet-file.js";
import { writeParquet } from "./testing/write-dataset.js";

/**
 * Written by pyarrow 26 with `row_group_size=3` from
 * `action = [[0.5, 1], [2, 3], [4, 5], [6, 7.25]]` (list of float), `index = [0, 1, 2, 3]`, `done = [0, 0, 1, 1]`.
 */
const FROM_PYARROW = {
  "zstd in data pages of version 2":
    "UEFSMRUEFTAVQkwVDBUAEgAAKLUv/SAYwQAAAAAAPwAAgD8AAABAAABAQAAAgEAAAKBAFQYVEhUSXBUMFQAVBhUQFQQVBBIcAAAAAyoM" +
    "AwMDiMYCFQQVMBU6TBUGFQASAAAotS/9IBilAABgAAABAAIAAAAAAAAAAgBg4AFgARUGFQwVDFwVBhUAFQYVEBUEFQASHAAAAAYBAgMk" +
    "ABUGFRAVEFwVBhUAFQYVBhUEFQASHAAAAAYBAgAAAAMEFQQVEBUiTBUEFQASAAAotS/9IAhBAAAAAMBAAADoQBUGFQ4VDlwVBBUAFQIV" +
    "EBUEFQQSHAAAAAMCBAMBAwIVBBUQFSJMFQIVABIAACi1L/0gCEEAAAMAAAAAAAAAFQYVChUKXBUCFQAVAhUQFQQVABIcAAAAAgEBAgAV" +
    "BhUQFRBcFQIVABUCFQYVBBUAEhwAAAACAQIAAAACARUEGWw1ABgGc2NoZW1hFQYANQIYBmFjdGlvbhUCFQZMPAAAADUEGARsaXN0FQIA" +
    "FQglAhgHZWxlbWVudAAVBCUCGAVpbmRleAAVACUCGARkb25lABYIGSwZPCYAHBUIGTUABhAZOAZhY3Rpb24EbGlzdAdlbGVtZW50FQwW" +
    "DBaOARagASZmJggpLBUEFQAVAgAVABUQFQIAPCkmBgYZRgAAAAwAAAAmABwVBBk1AAYQGRgFaW5kZXgVDBYGFogBFpIBJv4BJqgBKSwV" +
    "BBUAFQIAFQAVEBUCADwpBhkmAAYAAAAmABwVABkVBhkYBGRvbmUVDBYGFkAWQCa6AkkcFQAVBhUCADwpBhkmAAYAAAAW1gIWBiYIFvIC" +
    "ABk8JgAcFQgZNQAGEBk4BmFjdGlvbgRsaXN0B2VsZW1lbnQVDBYEFmoWfCa4Ayb6AiksFQQVABUCABUAFRAVAgA8KSYCAhlGAAAABAAA" +
    "ACYAHBUEGTUABhAZGAVpbmRleBUMFgIWZhZ4JrQEJvYDKSwVBBUAFQIAFQAVEBUCADwpBhkmAAIAAAAmABwVABkVBhkYBGRvbmUVDBYC" +
    "FkAWQCbuBEkcFQAVBhUCADwpBhkmAAIAAAAWkAIWAib6Aha0AgAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGTwcAAAc" +
    "AAAcAAAACQIAAFBBUjE=",
  "gzip with dictionaries":
    "UEFSMRUEFTAVTEwVDBUAEgAAH4sIAAAAAAACA2NgYLBnYGgAYgYHIALiBiBe4AAADSjeARgAAAAVABUiFUYsFQwVEBUGFQYcAAAAH4sI" +
    "AAAAAAACA2NiYGBg1mICkjzMzMwdx5gA1BHaghEAAAAVBBUwFThMFQYVABIAAB+LCAAAAAAAAgNjYIAARijNBKUBzFyMTxgAAAAVABUU" +
    "FTwsFQYVEBUGFQYcAAAAH4sIAAAAAAACA2NiYGBgY2RiVmEAAJLl4VUKAAAAFQAVDhU2LBUGFQAVBhUGHAAAAB+LCAAAAAAAAgNjYmBg" +
    "YGNkAQC9RwgQBwAAABUEFRAVOEwVBBUAEgAAH4sIAAAAAAACA2NgOODAwPDCAQDgoULMCAAAABUAFR4VQiwVBBUQFQYVBhwAAAAfiwgA" +
    "AAAAAAIDY2JgYGBmYgKSLMyMzEwAOn1g7w8AAAAVBBUQFS5MFQIVABIAAB+LCAAAAAAAAgNjZoAAAIrYresIAAAAFQAVEhU6LBUCFRAV" +
    "BhUGHAAAAB+LCAAAAAAAAgNjYmBgYGJkZGIAAJgAdzkJAAAAFQAVDhU2LBUCFQAVBhUGHAAAAB+LCAAAAAAAAgNjYmBgYGJkBADuG2tn" +
    "BwAAABUEGWw1ABgGc2NoZW1hFQYANQIYBmFjdGlvbhUCFQZMPAAAADUEGARsaXN0FQIAFQglAhgHZWxlbWVudAAVBCUCGAVpbmRleAAV" +
    "ACUCGARkb25lABYIGSwZPCYAHBUIGTUABhAZOAZhY3Rpb24EbGlzdAdlbGVtZW50FQQWDBaUARbUASZwJggpLBUEFQAVAgAVABUQFQIA" +
    "PCkmBgYZRgAAAAwAAAAmABwVBBk1AAYQGRgFaW5kZXgVBBYGFoYBFrYBJrACJtwBKSwVBBUAFQIAFQAVEBUCADwpBhkmAAYAAAAmABwV" +
    "ABklBgAZGARkb25lFQQWBhY0FlwmkgNJHBUAFQAVAgA8KQYZJgAGAAAAFs4CFgYmCBbmAwAZPCYAHBUIGTUABhAZOAZhY3Rpb24EbGlz" +
    "dAdlbGVtZW50FQQWBBZwFrwBJsIEJu4DKSwVBBUAFQIAFQAVEBUCADwpJgICGUYAAAAEAAAAJgAcFQQZNQAGEBkYBWluZGV4FQQWAhZk" +
    "FqoBJvQFJqoFKSwVBBUAFQIAFQAVEBUCADwpBhkmAAIAAAAmABwVABklBgAZGARkb25lFQQWAhY0Flwm1AZJHBUAFQAVAgA8KQYZJgAC" +
    "AAAAFogCFgIm7gMWwgMAKCBwYXJxdWV0LWNwcC1hcnJvdyB2ZXJzaW9uIDI2LjAuMRk8HAAAHAAAHAAAAA0CAABQQVIx",
  "byte stream split and delta encodings":
    "UEFSMRUAFUgVSCwVDBUSFQYVBhwAAAACAAAAAyoCAAAADAMAAAAAAAAAAAAAAAAAgABAgKA/P0BAQEAVABUgFSAsFQYVChUGFQYcAAAA" +
    "AgAAAAYBgAIEAwACAAAAABUAFQ4VDiwVBhUAFQYVBhwAAAACAAAABgEEFQAVKBUoLBUEFRIVBhUGHAAAAAIAAAADAgIAAAAEAwAAAADA" +
    "6EBAFQAVFhUWLBUCFQoVBhUGHAAAAAIAAAACAYACBAEGFQAVDhUOLBUCFQAVBhUGHAAAAAIAAAACAQEVBBlsNQAYBnNjaGVtYRUGADUC" +
    "GAZhY3Rpb24VAhUGTDwAAAA1BBgEbGlzdBUCABUIJQIYB2VsZW1lbnQAFQQlAhgFaW5kZXgAFQAlAhgEZG9uZQAWCBksGTwmABwVCBkl" +
    "BhIZOAZhY3Rpb24EbGlzdAdlbGVtZW50FQAWDBZuFm4mCEkcFQAVEhUCADwpJgYGGUYAAAAMAAAAJgAcFQQZJQYKGRgFaW5kZXgVABYG" +
    "FkYWRiZ2SRwVABUKFQIAPCkGGSYABgAAACYAHBUAGSUGABkYBGRvbmUVABYGFjQWNCa8AUkcFQAVABUCADwpBhkmAAYAAAAW6AEWBiYI" +
    "FugBABk8JgAcFQgZJQYSGTgGYWN0aW9uBGxpc3QHZWxlbWVudBUAFgQWThZOJvABSRwVABUSFQIAPCkmAgIZRgAAAAQAAAAmABwVBBkl" +
    "BgoZGAVpbmRleBUAFgIWPBY8Jr4CSRwVABUKFQIAPCkGGSYAAgAAACYAHBUAGSUGABkYBGRvbmUVABYCFjQWNCb6AkkcFQAVABUCADwp" +
    "BhkmAAIAAAAWvgEWAibwARa+AQAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGTwcAAAcAAAcAAAA2wEAAFBBUjE=",
};

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "reflow-parquet-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const numeric = (name: string, dtype: string, shape: number[]) => {
  const feature = makeFeature(name, { dtype, shape });
  if (!isNumeric(feature)) throw new Error("internal: not a numeric feature");
  return feature;
};
const ACTION = numeric("action", "float32", [2]);
const INDEX = numeric("index", "int64", [1]);
const DONE = numeric("done", "bool", [1]);

describe("columns", () => {
  it.each(Object.entries(FROM_PYARROW))("are read from pyarrow's %s", async (name, base64) => {
    const path = join(folder, `${name}.parquet`);
    await writeFile(path, Buffer.from(base64, "base64"));
    const file = await ParquetFile.open(path);
    expect([file.numRows, file.rowGroups, file.columnNames]).toEqual([
      4,
      [
        { rowStart: 0, numRows: 3 },
        { rowStart: 3, numRows: 1 },
      ],
      ["action", "index", "done"],
    ]);
    expect((await readNumericColumn(file, ACTION)).data).toEqual(Float32Array.of(0.5, 1, 2, 3, 4, 5, 6, 7.25));
    expect((await readNumericColumn(file, INDEX)).data).toEqual(BigInt64Array.of(0n, 1n, 2n, 3n));
    expect((await readNumericColumn(file, DONE)).data).toEqual(Uint8Array.of(0, 0, 1, 1));
  });

  it("are read one row group at a time if asked", async () => {
    const path = join(folder, "groups.parquet");
    const rows = Array.from({ length: 50 }, (_, i) => BigInt(i));
    await writeParquet(path, [{ name: "index", dtype: "int64", depth: 0, rows }], [20, 0, 25, 5]);
    const file = await ParquetFile.open(path);
    const seen: number[] = [];
    const group = file.rowGroups.findIndex(({ rowStart, numRows }) => rowStart === 20 && numRows === 25);
    await file.readColumn("index", 1, (run) => seen.push(...Array.from(run, Number)), group);
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => 20 + i));
    expect((await readNumericColumn(file, INDEX)).data).toEqual(BigInt64Array.from(rows));
  });

  it("may be empty", async () => {
    const path = join(folder, "empty.parquet");
    await writeParquet(path, [{ name: "index", dtype: "int64", depth: 0, rows: [] }]);
    expect((await readNumericColumn(await ParquetFile.open(path), INDEX)).shape).toEqual([0]);
  });
});

describe("damaged files", () => {
  it("are named, with what was being read and what is wrong", async () => {
    const path = join(folder, "damaged.parquet");
    const bytes = Buffer.from(FROM_PYARROW["gzip with dictionaries"], "base64");
    const ending = "The file is truncated, damaged or was never finished";
    for (const [content, problem] of [
      [bytes.subarray(0, 500), "parquet file invalid (footer != PAR1)"],
      [Buffer.alloc(0), ""],
      [Buffer.from("PAR1"), ""],
      [Buffer.from("not a parquet file at all"), "parquet file invalid (footer != PAR1)"],
    ] as const) {
      await writeFile(path, content);
      const error = await ParquetFile.open(path).catch((e: unknown) => e as Error);
      expect(error).toBeInstanceOf(DatasetError);
      const { message } = error as Error;
      expect(message).toContain(
        `${path}: expected a complete parquet file, got an error while reading its footer (${problem}`,
      );
      expect(message).toContain(ending);
    }
    await expect(ParquetFile.open(join(folder, "absent.parquet"))).rejects.toThrow(
      new DatasetError(`${join(folder, "absent.parquet")}: file not found`),
    );
    await expect(ParquetFile.open(folder)).rejects.toThrow(/EISDIR/);
  });

  it("whose run lengths reach beyond the column are refused before they are decoded", async () => {
    const path = join(folder, "runs.parquet");
    const rows = Array.from({ length: 1000 }, () => 7n);
    await writeParquet(path, [{ name: "index", dtype: "int64", depth: 0, rows }]);
    const bytes = await readFile(path);
    const levels = Buffer.from([0xd0, 0x0f, 0x01]);
    expect(bytes.includes(levels), "the definition levels: 1000 times 1").toBe(true);
    // The same run, said to be 130 million values long: decoding it would end the process.
    Buffer.from([0xd0, 0x8f, 0x7f]).copy(bytes, bytes.indexOf(levels));
    await writeFile(path, bytes);
    const file = await ParquetFile.open(path);
    await expect(readNumericColumn(file, INDEX)).rejects.toThrow(/while reading column "index" \(.*definition levels/);
  });

  it("never give anything but a DatasetError or values, wherever a byte is changed", async () => {
    const path = join(folder, "flipped.parquet");
    for (const base64 of Object.values(FROM_PYARROW)) {
      const bytes = Buffer.from(base64, "base64");
      for (let at = 0; at < bytes.length; at += 2) {
        const damaged = Buffer.from(bytes);
        damaged[at] = damaged[at]! ^ (at % 3 === 0 ? 0xff : 0x11);
        await writeFile(path, damaged);
        try {
          const file = await ParquetFile.open(path);
          for (const feature of [ACTION, INDEX, DONE]) await readNumericColumn(file, feature);
        } catch (error) {
          expect(error, `byte ${at}`).toBeInstanceOf(DatasetError);
        }
      }
    }
  });
});
