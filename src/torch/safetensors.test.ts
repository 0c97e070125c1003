import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { CheckpointError } from "../support/errors.js";
import { HOST_DTYPES, hostArray, zerosOnHost } from "../support/host-array.js";
import { readSafetensors, type SafetensorsSource, sourceOf, writeSafetensors } from "../support/safetensors.js";
import {
  addScalar_,
  disposeAll,
  mapSafetensors,
  numLiveTensors,
  ones,
  tensor,
  tensorSource,
  transpose,
} from "./index.js";

const folder = mkdtempSync(join(tmpdir(), "safetensors-"));
afterAll(() => rmSync(folder, { recursive: true }));
let numFiles = 0;
const fresh = (): string => join(folder, `${numFiles++}.safetensors`);

/** A file from the text or value of its header and its data, right or wrong. */
function craft(header: unknown, data: Uint8Array = new Uint8Array()): string {
  const path = fresh();
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, data]));
  return path;
}

const f32 = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const entry = (begin: number, end: number, shape: number[], dtype = "F32"): object => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe("mapSafetensors", () => {
  const fixtures = join(import.meta.dirname, "../../test/fixtures/tiny-smolvla");
  it.each([
    "base-vlm/model.safetensors",
    "teacher/model.safetensors",
    "parity/raw_batch.safetensors",
    "parity/processed_batch.safetensors",
    "reflow/steps.safetensors",
  ])("reads %s as readSafetensors does", async (name) => {
    const path = join(fixtures, name);
    const expected = await readSafetensors(path);
    const mapped = await mapSafetensors(path);
    expect([...mapped.keys()]).toEqual([...expected.keys()]);
    for (const [key, array] of expected) expect(mapped.get(key)!.toHost()).toEqual(array);
    disposeAll(mapped);
  });

  it("never changes the file when its tensors are written to, nor another mapping of it", async () => {
    const path = craft({ x: entry(0, 8, [2]) }, f32(1, 2));
    const before = readFileSync(path);
    const [first, second] = [await mapSafetensors(path), await mapSafetensors(path)];
    addScalar_(first.get("x")!, 5);
    expect(first.get("x")!.toNumbers()).toEqual([6, 7]);
    expect(second.get("x")!.toNumbers()).toEqual([1, 2]);
    expect(readFileSync(path)).toEqual(before);
    disposeAll([first, second]);
  });

  it("outlives the file's name, and its other tensors", async () => {
    const path = craft({ x: entry(0, 4, [1]), y: entry(4, 8, [1]) }, f32(1, 2));
    const mapped = await mapSafetensors(path);
    rmSync(path);
    mapped.get("x")!.dispose();
    expect(mapped.get("y")!.item()).toBe(2);
    disposeAll(mapped);
  });

  it("reads data that no header padding aligned", async () => {
    for (let padding = 0; padding < 8; padding++) {
      const header = `{"x":{"dtype":"F64","shape":[1],"data_offsets":[1,9]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`;
      const data = Buffer.concat([Buffer.of(7), new Uint8Array(Float64Array.of(Math.PI).buffer)]);
      const path = craft(header + " ".repeat(padding), data);
      const mapped = await mapSafetensors(path);
      expect(mapped.get("x")!.item()).toBe(Math.PI);
      expect(mapped.get("b")!.item()).toBe(7);
      disposeAll(mapped);
    }
  });

  it("reads scalars, empty tensors and files without tensors", async () => {
    const mapped = await mapSafetensors(
      craft({ scalar: entry(0, 4, []), none: entry(4, 4, [0, 3]), end: entry(4, 4, [0]) }, f32(3)),
    );
    expect(mapped.get("scalar")).toMatchObject({ shape: [] });
    expect(mapped.get("scalar")!.item()).toBe(3);
    expect(mapped.get("none")!.toHost()).toEqual(zerosOnHost("float32", [0, 3]));
    expect(mapped.get("end")).toMatchObject({ shape: [0] });
    disposeAll(mapped);
    expect(await mapSafetensors(craft({ only: entry(0, 0, [0]) }))).toHaveProperty("size", 1);
    expect(await mapSafetensors(craft({}))).toEqual(new Map());
    expect(await mapSafetensors(craft({ __metadata__: { format: "pt" } }))).toEqual(new Map());
  });

  it("keeps names that mean something to JavaScript", async () => {
    const mapped = await mapSafetensors(craft(`{"__proto__":${JSON.stringify(entry(0, 4, [1]))}}`, f32(4)));
    expect(mapped.get("__proto__")?.item()).toBe(4);
    disposeAll(mapped);
  });

  it.each<[string, () => string, RegExp]>([
    ["no file", () => join(folder, "absent"), /absent: file not found$/],
    ["a folder", () => folder, /expected a safetensors file, got something else|cannot be read/],
    [
      "no bytes",
      () => {
        writeFileSync(join(folder, "empty"), "");
        return join(folder, "empty");
      },
      /got 0 bytes, too few for a header/,
    ],
    ["a header that is no JSON", () => craft("{"), /the safetensors header is not JSON/],
    ["a header that is a list", () => craft([]), /expected the safetensors header to be an object/],
    ["an entry that is null", () => craft({ x: null }), /tensor "x": expected a dtype/],
    [
      "an unknown dtype",
      () => craft({ x: entry(0, 4, [1], "F8") }, f32(1)),
      /tensor "x": expected a dtype of .*, got "F8"/,
    ],
    ["a dtype of JavaScript's", () => craft({ x: entry(0, 4, [1], "toString") }, f32(1)), /safetensors: /],
    ["a negative size", () => craft({ x: entry(0, 4, [-1, -1]) }, f32(1)), /expected a shape of whole numbers/],
    [
      "sizes whose product is not exact",
      () => craft({ x: entry(0, 4, [2 ** 40, 2 ** 40]) }, f32(1)),
      /expected .* bytes/,
    ],
    ["too few bytes", () => craft({ x: entry(0, 4, [2]) }, f32(1)), /expected 8 bytes for F32 \[2\], got 4/],
    ["backward offsets", () => craft({ x: entry(4, 0, []) }, f32(1)), /expected 4 bytes for F32 \[\], got -4/],
    ["a truncated file", () => craft({ x: entry(0, 8, [2]) }, f32(1)), /The file is truncated/],
    [
      "overlap",
      () => craft({ x: entry(0, 8, [2]), y: entry(4, 12, [2]) }, f32(1, 2, 3)),
      /tensors "x" and "y" share bytes/,
    ],
  ])("refuses %s", async (_, make, text) => {
    const path = make();
    const before = numLiveTensors();
    await expect(mapSafetensors(path)).rejects.toThrow(CheckpointError);
    await expect(mapSafetensors(path)).rejects.toThrow(text);
    await expect(readSafetensors(path)).rejects.toThrow(CheckpointError);
    expect(numLiveTensors()).toBeLessThanOrEqual(before); // fewer if the garbage collector ran meanwhile
  });

  it("reads or refuses any damaged file as a CheckpointError, and never crashes", async () => {
    const original = readFileSync(
      craft({ a: entry(0, 8, [2]), b: entry(8, 10, [2], "U8") }, Buffer.concat([f32(1, 2), Buffer.of(1, 2)])),
    );
    const path = fresh();
    const change = fc.record({ at: fc.nat(original.length - 1), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 3 }), fc.nat(original.length), async (changes, length) => {
        const bytes = Buffer.from(original);
        for (const { at, byte } of changes) bytes[at] = byte;
        writeFileSync(path, length % 3 === 0 ? bytes.subarray(0, length) : bytes);
        try {
          const mapped = await mapSafetensors(path);
          for (const x of mapped.values()) x.toHost();
          disposeAll(mapped);
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
          expect((error as Error).message).toContain(path);
        }
      }),
      { numRuns: 600 },
    );
  });
});

describe("writeSafetensors", () => {
  it.each(HOST_DTYPES)("writes tensors of %s that come back bit for bit", async (dtype) => {
    const path = fresh();
    const array = zerosOnHost(dtype, [2, 3]);
    const bytes = new Uint8Array(array.data.buffer);
    bytes.forEach((_, i) => {
      bytes[i] = dtype === "bool" ? i % 2 : i * 41;
    });
    await writeSafetensors(path, new Map([["a.b", sourceOf(array)]]));
    expect((await readSafetensors(path)).get("a.b")).toEqual(array);
    const mapped = await mapSafetensors(path);
    expect(mapped.get("a.b")!.toHost()).toEqual(array);
    const copy = fresh();
    await writeSafetensors(copy, new Map([["a.b", tensorSource(mapped.get("a.b")!)]]));
    expect(readFileSync(copy)).toEqual(readFileSync(path));
    disposeAll(mapped);
  });

  it("lays a file out as the reference writer does: padded header, no gaps, every tensor aligned", async () => {
    const path = fresh();
    await writeSafetensors(
      path,
      new Map<string, SafetensorsSource>([
        ["byte", sourceOf(hostArray("uint8", [3], Uint8Array.of(1, 2, 3)))],
        ["wide", sourceOf(hostArray("int64", [1], BigInt64Array.of(-1n)))],
        ["é", tensorSource(tensor([1, 2], [2, 1]))],
        ["none", sourceOf(zerosOnHost("float32", [0]))],
      ]),
    );
    const file = readFileSync(path);
    const length = Number(file.readBigUInt64LE());
    expect(length % 8).toBe(0);
    const text = file.subarray(8, 8 + length).toString();
    expect(text).toMatch(/^\{.*\} *$/s);
    const { __metadata__, ...header } = JSON.parse(text);
    expect(__metadata__).toEqual({ format: "pt" });
    expect(header).toEqual({
      wide: { dtype: "I64", shape: [1], data_offsets: [0, 8] },
      none: { dtype: "F32", shape: [0], data_offsets: [8, 8] },
      é: { dtype: "F32", shape: [2, 1], data_offsets: [8, 16] },
      byte: { dtype: "U8", shape: [3], data_offsets: [16, 19] },
    });
    expect(file.length).toBe(8 + length + 19);
    expect([...file.subarray(-3)]).toEqual([1, 2, 3]);
  });

  it("writes a view's entries row-major", async () => {
    const path = fresh();
    await writeSafetensors(path, new Map([["x", tensorSource(transpose(tensor([1, 2, 3, 4], [2, 2]), 0, 1))]]));
    expect((await readSafetensors(path)).get("x")?.data).toEqual(Float32Array.of(1, 3, 2, 4));
  });

  it("leaves the old file, and no other, when a source fails", async () => {
    const home = mkdtempSync(join(folder, "atomic-"));
    const path = join(home, "x.safetensors");
    await writeSafetensors(path, new Map([["x", tensorSource(ones([2]))]]));
    const before = readFileSync(path);
    const failing: SafetensorsSource = {
      dtype: "uint8",
      shape: [1],
      bytes: () => {
        throw new Error("gone");
      },
    };
    const sources = new Map([
      ["good", tensorSource(ones([1000]))],
      ["bad", failing],
    ]);
    await expect(writeSafetensors(path, sources)).rejects.toThrow("gone");
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(home)).toEqual(["x.safetensors"]);
    const disposed = ones([1]);
    const source = tensorSource(disposed);
    disposed.dispose();
    await expect(writeSafetensors(path, new Map([["x", source]]))).rejects.toThrow("a disposed one");
    expect(readFileSync(path)).toEqual(before);
  });

  it("can replace the file that its tensors are mapped from", async () => {
    const path = craft({ x: entry(0, 8, [2]) }, f32(1, 2));
    const mapped = await mapSafetensors(path);
    addScalar_(mapped.get("x")!, 1);
    await writeSafetensors(path, new Map([["x", tensorSource(mapped.get("x")!)]]));
    expect((await readSafetensors(path)).get("x")?.data).toEqual(Float32Array.of(2, 3));
    disposeAll(mapped);
  });
});
