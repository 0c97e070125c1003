// Trains with the compiled program and prints, as JSON, what was alive and resident after every step and at the end.
//
//   node --expose-gc test/memory/train-many-steps.mjs SETTINGS_JSON
import { setTimeout as wait } from "node:timers/promises";
import { numLiveTensors } from "../../dist/torch/index.js";
import { parseTrainConfig } from "../../dist/train/config.js";
import { startTraining } from "../../dist/train/start-training.js";

let run = await startTraining(parseTrainConfig(JSON.parse(process.argv[2])).config);
const liveTensors = [];
const residentMB = [];
for await (const event of run.events) {
  if (event.kind !== "step") continue;
  liveTensors.push(numLiveTensors());
  residentMB.push(process.memoryUsage.rss() / 2 ** 20);
}
await run.close();
run = undefined;
// Handles that were passed on while weights were loaded are left to the garbage collector.
for (let i = 0; i < 20 && numLiveTensors() > 0; i++) {
  globalThis.gc();
  await wait(10);
}
const leftTensors = numLiveTensors();
const resources = process.getActiveResourcesInfo().filter((name) => !/^(Pipe|TTY|File)Wrap$|^FSReqPromise$/.test(name));
process.stdout.write(JSON.stringify({ liveTensors, residentMB, leftTensors, resources }));
