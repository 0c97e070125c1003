import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, it } from "vitest";
import { collate, type DatasetBatch } from "./collate.js";
import { LeRobotDataset } from "./lerobot-dataset.js";
import { compileForNode } from "./testing/compile-for-node.js";
import { fingerprint } from "./testing/fingerprint.js";

const ROOT = join(import.meta.dirname, "../../test/fixtures/tiny-smolvla/dataset-v3.0");

/** Makes batches and hands their memory over without copying it. */
const SCRIPT = `
import { parentPort, workerData } from "node:worker_threads";
import { collate, LeRobotDataset } from "./data/index.js";
const dataset = await LeRobotDataset.open({ root: workerData.root, chunkSize: 10 });
for (const indices of workerData.batches) {
  const items = [];
  for (const i of indices) items.push(await dataset.item(i));
  const batch = collate(items);
  parentPort.postMessage(batch, Object.values(batch.arrays).map(({ data }) => data.buffer));
}
await dataset.close();
`;

let compiled: Awaited<ReturnType<typeof compileForNode>>;
beforeAll(async () => {
  compiled = await compileForNode();
  await writeFile(join(compiled.folder, "worker.js"), SCRIPT);
});
afterAll(() => compiled.remove());

it("several threads read the same dataset at once, beside the main one, and get the same batches", async () => {
  const batches = Array.from({ length: 12 }, (_, b) => Array.from({ length: 4 }, (_, i) => (b * 37 + i * 101) % 389));
  const inThread = (): Promise<DatasetBatch[]> =>
    new Promise((resolve, reject) => {
      const received: DatasetBatch[] = [];
      const worker = new Worker(join(compiled.folder, "worker.js"), { workerData: { root: ROOT, batches } });
      worker.on("message", (batch: DatasetBatch) => received.push(batch));
      worker.on("error", reject);
      worker.on("exit", (code) => (code === 0 ? resolve(received) : reject(new Error(`exit code ${code}`))));
    });
  const here = async (): Promise<DatasetBatch[]> => {
    await using dataset = await LeRobotDataset.open({ root: ROOT, chunkSize: 10 });
    const made: DatasetBatch[] = [];
    for (const indices of batches) made.push(collate(await Promise.all(indices.map((i) => dataset.item(i)))));
    return made;
  };
  const [expected, ...others] = await Promise.all([here(), inThread(), inThread(), inThread()]);
  const comparable = (made: DatasetBatch[]) =>
    made.map(({ arrays, tasks }) => ({ tasks, arrays: fingerprint(arrays) }));
  for (const received of others) expect(comparable(received)).toEqual(comparable(expected));
});
