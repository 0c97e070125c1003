import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compileForNode } from "./testing/compile-for-node.js";

/**
 * Reads copies of a dataset, each with some bytes of one file changed. Runs in a process of its own, because the worst
 * that can happen is that decoders written in C end it.
 */
const SCRIPT = `
import { readFileSync, writeFileSync } from "node:fs";
import { LeRobotDataset } from "./data/index.js";

const [, , root, file, seedText, countText] = process.argv;
const original = readFileSync(file);
let state = Number(seedText);
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const outcomes = { read: 0, refused: 0, other: [] };
process.on("unhandledRejection", (error) => outcomes.other.push("unhandled: " + error.message));
for (let i = 0; i < Number(countText); i++) {
  const bytes = Buffer.from(original);
  // Headers are small and matter most: every other change goes there.
  for (let n = 1 + random(8); n > 0; n--) {
    const [start, length] = i % 2 ? [0, bytes.length] : [bytes.subarray(4, 8).toString() === "ftyp" ? 0 : bytes.length - 2500, 2500];
    bytes[Math.max(0, start + random(length))] = random(3) === 0 ? 255 : random(256);
  }
  writeFileSync(file, i % 10 === 9 ? bytes.subarray(0, random(bytes.length)) : bytes);
  try {
    const dataset = await LeRobotDataset.open({ root, chunkSize: 10 });
    for (const item of [0, 1, 200, 388, 60]) await dataset.item(item);
    outcomes.read++;
  } catch (error) {
    if (error.name === "DatasetError" && error.message.startsWith(root)) outcomes.refused++;
    else outcomes.other.push(error.stack);
  }
}
writeFileSync(file, original);
console.log(JSON.stringify(outcomes));
`;

let compiled: Awaited<ReturnType<typeof compileForNode>>;
let root = "";
beforeAll(async () => {
  compiled = await compileForNode();
  root = await mkdtemp(join(tmpdir(), "reflow-damage-"));
  await cp(join(import.meta.dirname, "../../test/fixtures/tiny-smolvla/dataset-v3.0"), root, { recursive: true });
  await writeFile(join(compiled.folder, "damage.js"), SCRIPT);
});
afterAll(async () => {
  await compiled.remove();
  await rm(root, { recursive: true, force: true });
});

it.each([
  ["videos/observation.images.top/chunk-000/file-000.mp4", 40],
  ["data/chunk-000/file-000.parquet", 40],
  ["meta/episodes/chunk-000/file-000.parquet", 30],
  ["meta/tasks.parquet", 30],
])("changed bytes in %s give values or a DatasetError naming a file, and nothing worse", async (file, count) => {
  const args = [join(compiled.folder, "damage.js"), root, join(root, file), "7", String(count)];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { timeout: 110_000 });
  const { read, refused, other } = JSON.parse(stdout);
  expect(other).toEqual([]);
  expect(read + refused).toBe(count);
  expect(refused).toBeGreaterThan(count / 4);
  expect(stderr).toBe("");
});
