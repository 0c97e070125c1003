import { metricNames } from "../../records/metrics-tracker.js";
import { RunRecorder } from "../../records/run-recorder.js";
import { isUserError, messageOf } from "../../support/errors.js";
import { torchVersion } from "../../torch/index.js";
import { type ArmResult, ArmResults } from "../../train/arms/arm-result.js";
import { lostBecause } from "../../train/arms/arm-watch.js";
import { type ArmRequest, type ArmsRun, startArms } from "../../train/arms/start-arms.js";
import { smoothingWindow } from "../../train/arms/trailing-means.js";
import type { ArmsEvent } from "../../train/arms/train-arms.js";
import { trainConfigToJson } from "../../train/config-json.js";
import { describeFinding } from "../../train/health/index.js";
import { createLogger, type Logger } from "../logger.js";
import { packageVersion } from "../package-version.js";
import { type Progress, startProgress } from "../progress.js";
import { number } from "./agreement-columns.js";

export interface RunArmsOptions {
  /** the folder of an arm's records, from its name and the seed of all */
  readonly recordsOf: (name: string, seed: number) => string;
  /** see `StartArmsOptions` */
  readonly milestones?: readonly number[];
  readonly warnings: readonly string[];
  /** called before the first step, when nothing can be wrong with the settings any more */
  readonly begin: () => Promise<void>;
  readonly signal: AbortSignal;
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

export interface ArmsOutcome {
  readonly results: readonly ArmResult[];
  readonly wasInterrupted: boolean;
  readonly seed: number;
  readonly numSteps: number;
  /** made by those that went on longest */
  readonly stepsDone: number;
  /** losses over which curves are smoothed */
  readonly window: number;
  /** what students are measured against, and where, in words */
  readonly measuredOn: string;
}

/** Trains arms to their end, with log lines, a progress bar and records of each arm. */
export async function runArms(requests: readonly ArmRequest[], options: RunArmsOptions): Promise<ArmsOutcome> {
  const progress: { current?: Progress } = {};
  const writeLine = (line: string): void =>
    progress.current ? progress.current.writeLine(line) : void options.stream.write(`${line}\n`);
  const logger = createLogger({ writeLine });
  for (const warning of options.warnings) logger.warning(warning);
  const run = await startArms(requests, {
    milestones: options.milestones ?? [],
    signal: options.signal,
    onMessage: (kind, message) => logger[kind](message),
  });
  try {
    await options.begin();
    return await follow(run, logger, progress, options);
  } finally {
    progress.current?.stop();
    await run.close();
  }
}

async function follow(
  run: ArmsRun,
  logger: Logger,
  progress: { current?: Progress },
  options: RunArmsOptions,
): Promise<ArmsOutcome> {
  const { arms, seed, teacher, numHeldOut } = run;
  const { steps: numSteps, logFreq } = arms[0]!.config;
  const names = arms.map(({ name }) => name);
  logger.info(
    `Start training ${arms.length} students side by side on ${run.device}, seed ${seed}: ${names.join(", ")}`,
  );
  const results = new ArmResults(names);
  const records = new ArmRecords(run, options.recordsOf);
  progress.current = startProgress({ total: numSteps, stream: options.stream });
  let [stepsDone, wasInterrupted] = [0, false];
  try {
    for await (const event of run.events) {
      results.take(event);
      records.take(event);
      stepsDone = event.step;
      if (event.kind === "step") {
        showBest(event, progress.current);
        if (logFreq > 0 && (event.step % logFreq === 0 || event.step === numSteps)) logger.info(formatStep(event));
      } else if (event.kind === "finding") {
        const isTold = lostBecause([event.finding]) !== undefined; // by what follows
        if (!isTold) logger.warning(`${event.arm}: ${describeFinding(event.finding)}`);
      }
      if (event.kind === "diverged") logger.warning(`${event.arm}: stopped. ${event.message}`);
      else if (event.kind === "interrupted") {
        wasInterrupted = true;
        logger.warning(`interrupted after step ${event.step}; results so far are kept`);
      }
    }
    records.end(stepsDone, wasInterrupted ? "interrupted" : "completed");
  } catch (error) {
    records.fail(stepsDone, error);
    throw error;
  } finally {
    records.close();
  }
  const where =
    numHeldOut > 0
      ? `${numHeldOut} held-out episode${numHeldOut === 1 ? "" : "s"}`
      : "episodes that the students train on";
  const measuredOn = `${teacher ? "the teacher's solution" : "its own converged flow"} on ${where}`;
  return {
    results: results.all,
    wasInterrupted,
    seed,
    numSteps,
    stepsDone,
    window: smoothingWindow(numSteps),
    measuredOn,
  };
}

type StepEvent = Extract<ArmsEvent, { kind: "step" }>;

/** The bar shows the lowest loss of all arms, and that arm's rate. */
function showBest({ step, arms }: StepEvent, progress: Progress): void {
  const [best] = [...arms].sort((a, b) => a.loss - b.loss);
  if (best !== undefined) progress.update({ step, loss: best.loss, learningRate: best.learningRate });
}

const formatStep = ({ step, arms }: StepEvent): string =>
  `step:${step} ${arms.map(({ arm, loss }) => `${arm} loss:${number(loss)}`).join("  ")}`;

/** Writes what each arm does to records of its own, as a training run does. */
class ArmRecords {
  readonly #recorders: ReadonlyMap<string, RunRecorder>;
  readonly #ended = new Set<string>();

  constructor({ arms, seed }: ArmsRun, recordsOf: RunArmsOptions["recordsOf"]) {
    this.#recorders = new Map(arms.map(({ name }) => [name, new RunRecorder(recordsOf(name, seed))]));
    for (const { name, config } of arms) {
      this.#recorders.get(name)!.record({
        event: "run-start",
        step: 0,
        config: trainConfigToJson(config) as Record<string, unknown>,
        versions: { reflow: packageVersion(), node: process.versions.node, torch: torchVersion() },
      });
    }
  }

  take(event: ArmsEvent): void {
    const { kind, step } = event;
    if (kind === "interrupted") return;
    if (kind === "step") {
      for (const { arm, loss, gradNorm, learningRate } of event.arms) {
        const metrics = metricNames("train", { loss, grad_norm: gradNorm, lr: learningRate });
        this.#recorders.get(arm)!.record({ event: "step", step, metrics });
      }
      return;
    }
    const recorder = this.#recorders.get(event.arm)!;
    if (kind === "evaluation") {
      recorder.record({ event: "evaluation", step, metrics: metricNames("eval", event.metrics) });
    } else if (kind === "finding") {
      recorder.record({ event: "warning", step, message: describeFinding(event.finding) });
    } else {
      this.#ended.add(event.arm);
      recorder.record({ event: "end", step, reason: "failed", message: event.message });
    }
  }

  end(step: number, reason: "completed" | "interrupted"): void {
    for (const [name, recorder] of this.#recorders) {
      if (!this.#ended.has(name)) recorder.record({ event: "end", step, reason });
    }
  }

  /** What ended the run may keep its records from being written too, as a full disk does; it is the error to report. */
  fail(step: number, failure: unknown): void {
    try {
      for (const [name, recorder] of this.#recorders) {
        if (this.#ended.has(name)) continue;
        recorder.record({ event: "end", step, reason: "failed", message: messageOf(failure) });
      }
    } catch (error) {
      if (!isUserError(error)) throw error;
    }
  }

  close(): void {
    for (const recorder of this.#recorders.values()) recorder.close();
  }
}
