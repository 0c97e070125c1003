/** Folders as commands leave them, of plausible content. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Comparison } from "../../src/compare/comparison.js";
import { SeededRandom } from "../../src/env/seeded-random.js";
import { type RunEvent, recordToLine } from "../../src/records/run-event.js";

/** Writes a `comparison.json`. @returns the folder */
export function writeComparison(folder: string, comparison: Comparison): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "comparison.json"), JSON.stringify(comparison));
  return folder;
}

const at = (minute: number): string => new Date(Date.UTC(2026, 2, 14, 9, 26) + minute * 60_000).toISOString();

/** The lines of records. */
export const recordLines = (events: readonly RunEvent[]): string =>
  events.map((event, i) => `${recordToLine({ ...event, time: at(i) })}\n`).join("");

/** Writes a run's records. @returns the folder */
export function writeRecords(folder: string, events: readonly RunEvent[]): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "records.jsonl"), recordLines(events));
  return folder;
}

/** Records of a reflow run that learns: falling loss, most of it near noise, rising agreement, one warning. */
export function plausibleRecords({
  numSteps = 6000,
  every = 100,
  seed = 3,
  task = "pick up the cube",
} = {}): RunEvent[] {
  const random = new SeededRandom(seed, "records");
  const config = {
    policy: { type: "smolvla", use_reflow: true, optimizer_lr: 1e-3 },
    job_name: task,
    steps: numSteps,
    seed,
    reflow: { time: { law: "u_shaped", atoms: [1], shareAtAtoms: 0.25 } },
  };
  const events: RunEvent[] = [
    { event: "run-start", step: 0, config, versions: { reflow: "0.1.0", node: "20.20.2", torch: "2.13.0" } },
    agreementAt(0, numSteps),
  ];
  for (let step = every; step <= numSteps; step += every) {
    const loss = (0.008 + 0.08 * Math.exp(-step / (0.22 * numSteps))) * (0.93 + 0.14 * random.uniform());
    const bins = Array.from({ length: 10 }, (_, i) => {
      const name = `train/loss_at_time/${(i / 10).toFixed(1)}-${((i + 1) / 10).toFixed(1)}`;
      return [name, loss * (0.35 + 2.2 * (i / 9) ** 2) * (0.85 + 0.3 * random.uniform())];
    });
    const lr = 1e-3 * Math.min(1, (10 * step) / numSteps) * (0.5 + 0.5 * Math.cos((Math.PI * step) / numSteps));
    events.push({
      event: "step",
      step,
      metrics: {
        "train/steps": step,
        "train/loss": loss,
        "train/grad_norm": loss * (9 + 3 * random.uniform()),
        "train/lr": lr,
        ...Object.fromEntries(bins),
        "train/loss_at_time/1": loss * 2.9 * (0.9 + 0.2 * random.uniform()),
      },
    });
    if (step % (numSteps / 6) === 0) events.push(agreementAt(step, numSteps));
    if (step === numSteps / 2) {
      const message = `health at step ${step}: the gradient norm is 3.1 times its median of the last 200 steps. Lower policy.optimizer_lr if it comes again`;
      events.push({ event: "warning", step, message });
      events.push({ event: "checkpoint", step, path: `checkpoints/${String(step).padStart(6, "0")}` });
    }
  }
  return [...events, { event: "end", step: numSteps, reason: "completed" }];
}

function agreementAt(step: number, numSteps: number): RunEvent {
  const left = Math.exp((-4 * step) / numSteps);
  const metrics = [1, 2, 5, 10].flatMap((count) => {
    const error = 0.03 + 0.02 / count + (0.3 * left) / count ** 0.9;
    return [
      [`eval/relative_error_${count}`, error],
      [`eval/noise_explained_${count}`, 1 - (error / 0.2) ** 2],
      [`eval/spread_ratio_${count}`, 1 - error],
    ];
  });
  return { event: "evaluation", step, metrics: Object.fromEntries(metrics) };
}

/** Writes an evaluation as `reflow eval` does. @returns the folder */
export function writeEvaluation(
  folder: string,
  { numSuccesses = 61, numEpisodes = 80, numSteps = 1, videos = [] as readonly string[] } = {},
): string {
  mkdirSync(folder, { recursive: true });
  const successes = Array.from({ length: numEpisodes }, (_, i) => i < numSuccesses);
  const statistics = { medianMs: 44, p95Ms: 51, minMs: 40, maxMs: 90, numCalls: 50 };
  const info = {
    per_task: [{ task_group: "avoiding", task_id: 0, metrics: { successes, video_paths: videos } }],
    overall: { pc_success: (100 * numSuccesses) / numEpisodes, n_episodes: numEpisodes },
    reflow: {
      status: "complete",
      settings: { policy: "outputs/run", environment: "avoiding-ts/1", numSteps, seed: 1000 },
      summary: { modes: { "100100010": numSuccesses } },
      latency: { total: statistics, parts: { expert: statistics } },
    },
  };
  writeFileSync(join(folder, "eval_info.json"), JSON.stringify(info));
  return folder;
}
