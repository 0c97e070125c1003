import { formatBigNumber } from "../records/format-number.js";
import type { TrainConfig } from "../train/config.js";
import type { ResumeTarget } from "../train/config-resume.js";
import { openRunFolder } from "../train/run-folder.js";
import { startTraining, type TrainingRun } from "../train/start-training.js";
import { createLogger, type Logger } from "./logger.js";
import type { Progress } from "./progress.js";
import { expectHubToken, pushRun } from "./push-run.js";
import { RunFollower } from "./run-follower.js";
import { RunLog, withWandbRunId } from "./run-log.js";

export interface RunOptions {
  readonly warnings: readonly string[];
  readonly resume: ResumeTarget | undefined;
  readonly signal: AbortSignal;
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** Trains as the settings say, with log lines, a progress bar and records. @returns whether it was interrupted */
export async function runTraining(given: TrainConfig, options: RunOptions): Promise<boolean> {
  const settings = withWandbRunId(given);
  expectHubToken(settings);
  const folder = await openRunFolder(settings.outputDir, settings);
  try {
    const progress: { current?: Progress } = {};
    const writeLine = (line: string): void =>
      progress.current ? progress.current.writeLine(line) : void options.stream.write(`${line}\n`);
    const logger = createLogger({ writeLine });
    for (const warning of options.warnings) logger.warning(warning);
    const run = await startTraining(settings, {
      resume: options.resume,
      signal: options.signal,
      onMessage: (kind, message) => logger[kind](message),
    });
    try {
      if (settings.overwrite) await folder.clear();
      return await follow(run, logger, progress, options);
    } finally {
      progress.current?.stop();
      await run.close();
    }
  } finally {
    folder.release();
  }
}

async function follow(
  run: TrainingRun,
  logger: Logger,
  progress: { current?: Progress },
  { stream, warnings }: RunOptions,
): Promise<boolean> {
  const { config } = run;
  announce(run, logger);
  const log = RunLog.open(config, logger);
  try {
    const onProgress = (shown: Progress): void => {
      progress.current = shown;
    };
    const follower = new RunFollower({ run, log, logger, stream, onProgress });
    for (const message of warnings) log.record({ event: "warning", step: follower.step, message });
    let wasInterrupted = false;
    try {
      for await (const event of run.events) {
        follower.take(event);
        wasInterrupted = event.kind === "interrupted";
      }
    } catch (error) {
      log.recordFailure(follower.step, error);
      throw error;
    }
    log.record({ event: "end", step: follower.step, reason: wasInterrupted ? "interrupted" : "completed" });
    if (wasInterrupted) return true;
    if (config.policy.pushToHub) await pushRun(run, logger);
    logger.info("End of training");
    return false;
  } finally {
    await log.close();
  }
}

/** The lines with which LeRobot begins, and what is special about this run. */
function announce(
  { config, policy, numFrames, numEpisodes, numParameters, numTrainable }: TrainingRun,
  logger: Logger,
): void {
  logger.info(`Output dir: ${config.outputDir}`);
  logger.info(`cfg.steps=${config.steps} (${formatBigNumber(config.steps)})`);
  logger.info(`dataset.num_frames=${numFrames} (${formatBigNumber(numFrames)})`);
  logger.info(`dataset.num_episodes=${numEpisodes}`);
  logger.info(`num_learnable_params=${numTrainable} (${formatBigNumber(numTrainable)})`);
  logger.info(`num_total_params=${numParameters} (${formatBigNumber(numParameters)})`);
  const method = describeMethod(config);
  logger.info(`Start training: ${method}, on ${policy.device} in ${config.precision}`);
}

/** `reflow of DIR (pairs: 10 euler steps; times: u_shaped, 0.25 at 1; padded dims: teacher)` */
function describeMethod({ policy, reflow, flowMatching }: TrainConfig): string {
  const { law, atoms, shareAtAtoms } = (policy.useReflow ? reflow : flowMatching).time;
  const single = shareAtAtoms > 0 ? `${shareAtAtoms} at ${atoms.join(" and ")}` : "";
  const times = `times: ${[...(shareAtAtoms < 1 ? [law] : []), single].filter((part) => part !== "").join(", ")}`;
  if (!policy.useReflow) return `flow matching on demonstrations (${times})`;
  const pairs = reflow.pairs ?? `${policy.reflowNumInferenceSteps} ${reflow.teacherSolver} steps`;
  const stage = reflow.stage === "distill" ? "distillation" : "reflow";
  return `${stage} of ${policy.teacherModelPath} (pairs: ${pairs}; ${times}; padded dims: ${reflow.paddedDims})`;
}
