import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../support/safetensors.js";
import { collate } from "./collate.js";
import { LeRobotDataset } from "./lerobot-dataset.js";

const FIXTURES = join(import.meta.dirname, "../../test/fixtures/tiny-smolvla");
const ROOT = join(FIXTURES, "dataset-v3.0");

it("p", async () => {
  await using dataset = await LeRobotDataset.open({ root: ROOT, chunkSize: 10 });
  const expected = await readSafetensors(join(FIXTURES, "parity/dataset_items.safetensors"));
  let n=0;
  for (const [name, e] of expected) {
    const [i, key] = [Number(name.split("/")[0]), name.slice(name.indexOf("/") + 1)];
    const a = (await dataset.item(i)).arrays[key]!;
    expect(a.shape, name).toEqual(e.shape);
    if (a.dtype === "uint8") expect(Buffer.from(Float32Array.from(a.data as Uint8Array, (v) => v / 255).buffer).equals(Buffer.from(e.data.buffer, e.data.byteOffset, e.data.byteLength)), name).toBe(true);
    else { expect(a.dtype).toBe(e.dtype); expect(a.data, name).toEqual(e.data); }
    n++;
  }
  console.log(n, dataset.metadata.contentHash, Object.keys((await dataset.item(0)).arrays));
  const t0 = performance.now();
  for await (const _ of dataset) {}
  console.log("sequential ms/item", (performance.now() - t0) / dataset.numFrames);
  const t1 = performance.now();
  for (let k = 0; k < 389; k++) await dataset.item((k * 151) % 389);
  console.log("random ms/item", (performance.now() - t1) / dataset.numFrames);
});
