/** Training runs that are asked to stop and are continued, in this process. */
import { Writable } from "node:stream";
import { expect } from "vitest";
import { readRunSettings } from "../../src/cli/run-settings.js";
import { runTraining } from "../../src/cli/run-training.js";
import { setNumThreads } from "../../src/torch/index.js";
import { DATASET, tryTraining } from "./training-run.js";

/** Trains as the flags say and asks it to stop when it has logged a step; it must have stopped there. */
export async function interruptAfter(step: number, folder: string, ...flags: readonly string[]): Promise<void> {
  setNumThreads(1);
  const interrupt = new AbortController();
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      if (String(chunk).includes(`step:${step} `)) interrupt.abort();
      done();
    },
  });
  const { config, resume, warnings } = await readRunSettings([
    `--dataset.root=${DATASET}`,
    ...flags,
    `--output_dir=${folder}`,
  ]);
  expect(await runTraining(config, { resume, warnings, stream, signal: interrupt.signal })).toBe(true);
}

/** Continues a run to its end. Dashboards may have the last word. */
export async function continueRun(folder: string, ...flags: readonly string[]): Promise<void> {
  const { code, err } = await tryTraining(folder, "--resume=true", ...flags);
  expect([code, err]).toEqual([0, expect.stringContaining("End of training\n")]);
}
