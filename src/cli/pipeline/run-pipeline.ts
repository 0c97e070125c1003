/** From a pipeline's settings to its last line: stages one after the other, then their comparison. */
import { join } from "node:path";
import { findPolicyFolder } from "../../policy/find-policy-folder.js";
import { readPolicyConfig } from "../../policy/policy-files.js";
import { parseSmolVLAConfig } from "../../smolvla/config.js";
import { CheckpointError, ConfigError } from "../../support/errors.js";
import { POLICY_FOLDER } from "../../train/checkpoint.js";
import type { TrainConfig } from "../../train/config.js";
import { trainConfigToJson } from "../../train/config-json.js";
import { type ResumeTarget, resumeTarget } from "../../train/config-resume.js";
import { createLogger, type Logger } from "../logger.js";
import { formatDuration } from "../progress.js";
import { runTraining } from "../run-training.js";
import { checkChain } from "./check-chain.js";
import { compareStages, comparisonRequest } from "./compare-stages.js";
import { type Comparison, comparisonToJson, readComparison } from "./comparison.js";
import { formatComparison } from "./format-comparison.js";
import { openPipelineFolder, type PipelineFolder } from "./pipeline-folder.js";
import { planStages, type Stage } from "./plan-stages.js";
import type { PipelineRequest } from "./read-pipeline.js";
import { isMadeAfter, readStageState, type StageCheckpoint, type StageState } from "./stage-state.js";
import { secondsLeft } from "./time-left.js";

export interface PipelineOptions {
  readonly signal: AbortSignal;
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** called before the comparison, which cannot be asked to stop: from then on a signal may end the process at once */
  readonly letSignalsEnd: () => void;
}

const PIPELINE_FILE = "pipeline.json";
const COMPARISON_FILE = "comparison.json";

const HOW_TO_GO_ON = "Run the same command again to go on";

/**
 * Runs the stages that are not finished yet, in order, and compares the policies of all. What is finished is read off the
 * stages' folders alone; `pipeline.json` tells a reader what they are, and is never read.
 *
 * @returns whether it was interrupted
 * @throws an error of `support/errors.ts`; nothing has been trained if the settings are at fault
 */
export async function runPipeline(request: PipelineRequest, options: PipelineOptions): Promise<boolean> {
  const logger = createLogger({ writeLine: (line) => void options.stream.write(`${line}\n`) });
  const stages = planStages(request);
  const chain = await checkChain(stages);
  await checkBaseline(request.compare.baseline, stages[0]!, chain[0]!.fields);
  for (const warning of planWarnings(stages, request, chain[0]!.k)) logger.warning(warning);
  const folder = await openPipelineFolder(request.outputDir);
  try {
    await settleChanges(folder, stages, request.overwrite, logger);
    await folder.writeJson(PIPELINE_FILE, describePipeline(stages, request));
    for (const i of stages.keys()) {
      if (await runStage(stages, i, { folder, logger, overwrite: request.overwrite, ...options })) return true;
    }
    if (options.signal.aborted) {
      logger.warning(`pipeline: interrupted before the comparison. ${HOW_TO_GO_ON}`);
      return true;
    }
    options.letSignalsEnd();
    console.log(formatComparison(await compare(folder, stages, request, logger)));
    return false;
  } finally {
    folder.release();
  }
}

const describePipeline = (stages: readonly Stage[], { compare }: PipelineRequest): unknown => ({
  format: 1,
  stages: stages.map(({ name, kind, folderName, config }) => ({
    name,
    kind,
    folder: folderName,
    settings: trainConfigToJson(config),
  })),
  compare,
});

/** @throws ConfigError, CheckpointError or HubError for a baseline that is not there or acts otherwise */
async function checkBaseline(baseline: string | null, { name }: Stage, fields: ExpectedFields): Promise<void> {
  if (baseline === null) return;
  const { chunkSize, maxActionDim } = await readPolicyConfig(await findPolicyFolder(baseline));
  const expected = parseSmolVLAConfig(fields, "policy");
  if (chunkSize === expected.chunkSize && maxActionDim === expected.maxActionDim) return;
  const shape = (steps: number, dims: number): string => `${steps} actions of ${dims} padded dimensions`;
  throw new ConfigError("pipeline", [
    {
      path: "compare.baseline",
      message:
        `expected a policy with the chunks of stage ${name}, ${shape(expected.chunkSize, expected.maxActionDim)}, ` +
        `got ${shape(chunkSize, maxActionDim)}`,
    },
  ]);
}

type ExpectedFields = Readonly<Record<string, unknown>>;

/** What a user should know about the order of stages, as sentences. */
function planWarnings(stages: readonly Stage[], { compare }: PipelineRequest, firstRound: number): string[] {
  const [first] = stages;
  const teacherRound = first!.kind === "reflow" ? firstRound - 1 : firstRound;
  if (first!.kind === "flow_matching" || teacherRound === 1 || compare.baseline !== null) return [];
  return [
    `the teacher is a ${teacherRound}-RF, itself straightened after another policy: give the 1-RF as compare.baseline, or all ` +
      "losses of earlier rounds stay out of the comparison",
  ];
}

/**
 * Lets only those stages stay that the settings of now would give again, and nothing that is no stage.
 *
 * @throws CheckpointError saying what has changed, unless `overwrite` says to delete it
 */
async function settleChanges(
  folder: PipelineFolder,
  stages: readonly Stage[],
  overwrite: boolean,
  logger: Logger,
): Promise<void> {
  const found: { readonly place: number; readonly what: string }[] = [];
  for (const [place, stage] of stages.entries()) {
    for (const difference of (await readStageState(stage)).differences) {
      found.push({ place, what: `${stage.name} (${stage.folderName}): ${difference}` });
    }
  }
  for (const name of await folder.stageFolders()) {
    if (stages.some(({ folderName }) => folderName === name)) continue;
    found.push({ place: Number.parseInt(name, 10) - 1, what: `${name} is no stage of this pipeline` });
  }
  if (found.length === 0) return;
  if (!overwrite) {
    throw new CheckpointError(
      `pipeline: expected the stages that ${folder.path} holds, got others\n` +
        `${found.map(({ what }) => `  - ${what}`).join("\n")}\n` +
        "Restore the settings, choose another --output_dir, or pass --overwrite=true to delete the first of these and all " +
        "stages after it and do them again",
    );
  }
  await deleteFrom(folder, Math.min(...found.map(({ place }) => place)), logger);
}

async function deleteFrom(folder: PipelineFolder, place: number, logger: Logger): Promise<void> {
  const names = (await folder.stageFolders()).filter((name) => Number.parseInt(name, 10) > place);
  logger.warning(`pipeline: deleting ${names.join(", ")}, as overwrite is true`);
  await folder.deleteStages(names);
}

interface StageSurroundings extends PipelineOptions {
  readonly folder: PipelineFolder;
  readonly logger: Logger;
  readonly overwrite: boolean;
}

/** Runs what is left of a stage. @returns whether it was interrupted */
async function runStage(stages: readonly Stage[], i: number, surroundings: StageSurroundings): Promise<boolean> {
  const { logger, signal, stream } = surroundings;
  const stage = stages[i]!;
  const place = `stage ${i + 1} of ${stages.length}`;
  const state = await verifiedState(stages, i, surroundings);
  if (state.isFinished) {
    logger.info(`pipeline: ${place}: ${stage.name} is finished, in ${stage.folderName}`);
    return false;
  }
  if (signal.aborted) {
    logger.warning(`pipeline: interrupted before ${place} (${stage.name}). ${HOW_TO_GO_ON}`);
    return true;
  }
  const step = state.checkpoint?.step ?? 0;
  const left = await secondsLeft(
    stages.map((other, k) => ({ stage: other, step: k < i ? other.config.steps : k > i ? 0 : step })),
  );
  const time = left === undefined ? "" : `; about ${formatDuration(left)} left in all stages`;
  logger.info(`pipeline: ${place}: ${stage.name} (${stage.kind}), ${stage.config.steps} steps${time}`);
  let wasInterrupted: boolean;
  try {
    const { config, resume } = continuation(stage, state);
    wasInterrupted = await runTraining(config, { warnings: resume ? [] : stage.warnings, resume, signal, stream });
  } catch (error) {
    logger.error(
      `pipeline: ${place} (${stage.name}) failed. Mend what the next line says; the same command goes on after the last checkpoint`,
    );
    throw error;
  }
  if (wasInterrupted) {
    logger.warning(`pipeline: interrupted in ${place} (${stage.name}). ${HOW_TO_GO_ON}`);
    return true;
  }
  if (!(await readStageState(stage)).isFinished) {
    throw new CheckpointError(
      `pipeline: expected stage ${stage.name} to end with a checkpoint after step ${stage.config.steps}, got none in ${stage.config.outputDir}`,
    );
  }
  return false;
}

/** A stage's state, certain to have been made after the present policy of the stage before it. */
async function verifiedState(
  stages: readonly Stage[],
  i: number,
  { folder, logger, overwrite }: StageSurroundings,
): Promise<StageState> {
  const stage = stages[i]!;
  const state = await readStageState(stage);
  const before = stages[i - 1];
  if (before === undefined || state.checkpoint === undefined) return state;
  if (await isMadeAfter(state.checkpoint, before.resultFolder)) return state;
  if (!overwrite) {
    throw new CheckpointError(
      `pipeline: expected stage ${stage.name} (${stage.folderName}) to be made after the policy in ${before.resultFolder}, got ` +
        "one made after another policy. Pass --overwrite=true to delete it and all stages after it and do them again",
    );
  }
  await deleteFrom(folder, i, logger);
  return readStageState(stage);
}

/** A stage's settings as it begins, begins again where nothing was saved yet, or goes on after its last checkpoint. */
function continuation(
  { config }: Stage,
  { checkpoint, holdsRun }: StageState,
): { readonly config: TrainConfig; readonly resume: ResumeTarget | undefined } {
  if (checkpoint === undefined) return { config: { ...config, overwrite: holdsRun }, resume: undefined };
  const { optimizer, scheduler, seed } = checkpoint.config;
  return { config: { ...config, resume: true, optimizer, scheduler, seed }, resume: targetOf(checkpoint) };
}

const targetOf = ({ folder }: StageCheckpoint): ResumeTarget =>
  resumeTarget({
    overrides: {},
    settings: { resume: true },
    configPath: join(folder, POLICY_FOLDER, "train_config.json"),
  })!;

/** The comparison of all stages, measured now unless it was measured before for the same policies. */
async function compare(
  folder: PipelineFolder,
  stages: readonly Stage[],
  { compare: settings }: PipelineRequest,
  logger: Logger,
): Promise<Comparison> {
  const request = await comparisonRequest(stages, settings);
  const earlier = await readComparison(join(folder.path, COMPARISON_FILE), request);
  if (earlier !== undefined) return earlier;
  logger.info(`pipeline: all ${stages.length} stages are finished; comparing ${request.policies.length} policies`);
  const comparison = await compareStages(stages, request);
  await folder.writeJson(COMPARISON_FILE, comparisonToJson(comparison));
  return comparison;
}
