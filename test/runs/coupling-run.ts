/** A run that is stepped by hand, with an eye on what teacher and student are asked. */
import { expect, onTestFinished, vi } from "vitest";
import { readRunSettings } from "../../src/cli/run-settings.js";
import type { SmolVLA } from "../../src/smolvla/smolvla.js";
import { setNumThreads } from "../../src/torch/index.js";
import type { LoopEvent } from "../../src/train/loop.js";
import { startTraining, type TrainingRun } from "../../src/train/start-training.js";
import { DATASET, RUNS, temporaryFolder } from "./training-run.js";

/** What a network was asked at one evaluation. */
export interface Question {
  /** noisy actions, row by row */
  readonly x: readonly number[];
  readonly numRows: number;
  readonly time: readonly number[];
}

export interface ObservedRun {
  readonly run: TrainingRun;
  /** what each of them was asked so far */
  readonly teacher: Asked;
  readonly student: Asked;
  /** the next optimizer step */
  step(): Promise<Extract<LoopEvent, { kind: "step" }>>;
}

interface Asked {
  readonly velocities: Question[];
  /** how often images and language were encoded */
  readonly numEncoded: () => number;
}

function watch(model: SmolVLA): Asked {
  const velocities: Question[] = [];
  const velocity = model.velocity.bind(model);
  vi.spyOn(model, "velocity").mockImplementation((prefix, x, time) => {
    velocities.push({ x: x.toNumbers(), numRows: x.size(0), time: time.toNumbers() });
    return velocity(prefix, x, time);
  });
  const encoder = vi.spyOn(model, "encodeContext");
  return { velocities, numEncoded: () => encoder.mock.calls.length };
}

/** Begins a reflow run of the fixture; it is closed after the test. */
export async function observe(...flags: readonly string[]): Promise<ObservedRun> {
  setNumThreads(1);
  const settings = [`--dataset.root=${DATASET}`, ...RUNS.reflow, ...flags, `--output_dir=${temporaryFolder()}`];
  const { config, resume } = await readRunSettings(settings);
  const run = await startTraining(config, { resume });
  onTestFinished(() => run.close());
  const [teacher, student] = [watch(run.teacher!.model), watch(run.policy.model)];
  const step = async () => {
    for (;;) {
      const { value, done } = await run.events.next();
      expect(done).toBe(false);
      if (value?.kind === "step") return value;
    }
  };
  return { run, teacher, student, step };
}
