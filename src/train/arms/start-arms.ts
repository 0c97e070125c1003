/** From the settings of several runs that differ in one thing to one loop that trains them side by side. */
import { LeRobotDataset } from "../../data/index.js";
import { AdamW } from "../../optim/index.js";
import { findPolicyFolder } from "../../policy/find-policy-folder.js";
import type { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import { toSmolVLAJson } from "../../smolvla/config.js";
import { deriveSeed } from "../../support/derive-seed.js";
import { ConfigError } from "../../support/errors.js";
import { beginRun } from "../begin-run.js";
import type { TrainConfig } from "../config.js";
import { isPresetField } from "../config-policy-fields.js";
import { type SettledTrainConfig, withTrainingPreset } from "../config-preset.js";
import { learningRates } from "../learning-rates.js";
import { openProbe, probeObservations } from "../open-probe.js";
import { disposeRunPolicy, openRunPolicy } from "../open-run-policy.js";
import { readConfigs } from "../policy-configs.js";
import type { PreparedPolicy } from "../prepare-policy.js";
import { openRunBatches } from "../run-batches.js";
import { findRunData, type RunData } from "../run-data.js";
import { makeStudent } from "../student.js";
import { trainableParameters } from "../trainable-parameters.js";
import { beginAtSavedWeights } from "../training-state.js";
import type { Arm } from "./arm.js";
import { heldOutLoss } from "./held-out-loss.js";
import { type ArmsEvent, trainArms } from "./train-arms.js";

/** An arm to be: the settings of the training run that it equals. All arms of a run have the same dataset, teacher and seed. */
export interface ArmRequest {
  readonly name: string;
  readonly settings: TrainConfig;
}

export interface StartArmsOptions {
  /** steps, counted as done, after which students are measured, besides those of `eval_freq` and the first and last */
  readonly milestones?: readonly number[];
  readonly signal?: AbortSignal | undefined;
  /** told what is being done before the first step, and what a user should know */
  readonly onMessage?: Say;
}

type Say = (kind: "info" | "warning", message: string) => void;

/** Arms that are about to be trained. */
export interface ArmsRun {
  readonly arms: readonly Arm[];
  /** whose flow is learnt; undefined for flow matching */
  readonly teacher: SmolVLAPolicy | undefined;
  readonly device: string;
  readonly seed: number;
  /** episodes that no arm learns from; 0 if students are measured on ones that they do */
  readonly numHeldOut: number;
  /** starts when it is iterated */
  readonly events: AsyncGenerator<ArmsEvent, void, undefined>;
  /** ends threads and frees memory */
  close(): Promise<void>;
}

type AtEnd = (undo: () => void | Promise<void>) => void;

/**
 * Prepares arms in one process: one dataset, one teacher, one vision-language model for all students that share it, and for
 * each arm an expert and an optimizer of its own. Nothing is saved but for the step-0 gate, which works in
 * `settings.outputDir` and leaves nothing.
 *
 * @throws an error of `support/errors.ts` saying what does not fit; nothing has been trained then
 */
export async function startArms(requests: readonly ArmRequest[], options: StartArmsOptions = {}): Promise<ArmsRun> {
  const undos: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const undo of undos.splice(0).reverse()) await undo();
  };
  try {
    return { ...(await prepareArms(requests, options, (undo) => undos.push(undo))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function prepareArms(
  requests: readonly ArmRequest[],
  { milestones = [], signal, onMessage: say = () => {} }: StartArmsOptions,
  atEnd: AtEnd,
): Promise<Omit<ArmsRun, "close">> {
  // The objective's own student is one that looks through the teacher's model, if any does.
  const { settings } = requests.find(({ settings: { policy } }) => policy.studentInit !== "random") ?? requests[0]!;
  const seed = settings.seed ?? deriveSeed(Date.now(), process.pid) % 2 ** 32;
  const data = await findRunData(settings);
  await using dataset = await LeRobotDataset.open({ ...data.source, episodes: data.training });
  const warn = (message: string): void => say("warning", message);
  const prepared = await openRunPolicy(settings, dataset.metadata, seed, undefined, warn);
  atEnd(() => disposeRunPolicy(prepared));
  const { policy, teacher, objective } = prepared;
  expectOneModel(policy, requests);

  const arms: Arm[] = [];
  for (const [i, request] of requests.entries()) {
    const kind = request.settings.policy.studentInit;
    const isFirstOfItsKind = requests.findIndex((other) => other.settings.policy.studentInit === kind) === i;
    const start = await startOf(request.settings, prepared, settings, isFirstOfItsKind, seed);
    atEnd(() => start.policy.dispose());
    const arm = makeArm(request, start, prepared, seed);
    atEnd(() => arm.optimizer.dispose());
    const sources = {
      config: arm.config,
      prepared: start,
      optimizer: arm.optimizer,
      schedule: arm.schedule,
      ema: undefined,
    };
    if (isFirstOfItsKind) await beginRun(sources, dataset, (level, message) => say(level, `${arm.name}: ${message}`));
    else if (start.startFolder !== undefined) await beginAtSavedWeights(start.startFolder, arm.optimizer);
    arms.push(arm);
  }

  const { config } = arms[0]!;
  const measure = await openMeasure(config, prepared, data, atEnd);
  const { batches, toDevice } = await openRunBatches(config, data, policy, teacher !== undefined);
  atEnd(() => batches.close());
  const events = trainArms({
    objective,
    arms,
    batches,
    toDevice,
    batchesPerStep: config.gradientAccumulation,
    device: policy.device,
    seed,
    numSteps: config.steps,
    isMeasured: (step) => (config.evalFreq > 0 && step % config.evalFreq === 0) || milestones.includes(step),
    measure,
    signal,
  });
  return { arms, teacher, device: policy.device, seed, numHeldOut: data.heldOut.length, events };
}

/** Copies of a student have one vision-language model, so none of them can train it. */
function expectOneModel(policy: SmolVLAPolicy, requests: readonly ArmRequest[]): void {
  if (policy.config.trainExpertOnly && policy.model.adapter === undefined) return;
  const got = policy.config.trainExpertOnly ? "one with a low-rank adapter in it" : "false";
  throw new ConfigError("training config", [
    {
      path: policy.config.trainExpertOnly ? "policy.path" : "policy.train_expert_only",
      message:
        `expected ${policy.config.trainExpertOnly ? "a policy without adapters" : "true"}, got ${got}. The ${requests.length} ` +
        "students that are compared share one vision-language model, which stays as it is",
    },
  ]);
}

/**
 * What an arm starts as: the prepared student itself, a copy of its expert as long as it is untouched, or a student of the
 * same teacher that begins otherwise.
 *
 * @param base settings that the prepared student was made by
 */
async function startOf(
  settings: TrainConfig,
  prepared: PreparedPolicy,
  base: TrainConfig,
  isFirstOfItsKind: boolean,
  seed: number,
): Promise<PreparedPolicy> {
  const { policy: student, teacher } = prepared;
  if (settings.policy.studentInit === base.policy.studentInit) {
    if (isFirstOfItsKind) return prepared;
    return { ...prepared, policy: student.with({ model: student.model.withCopiedExpert(student.config) }) };
  }
  const folder = await findPolicyFolder(settings.policy.teacherModelPath!);
  const { own } = await readConfigs(folder, settings);
  const { policy, startFolder } = await makeStudent(settings, teacher!, folder, own, seed);
  return { ...prepared, policy, startFolder, reference: startFolder === folder ? teacher! : policy };
}

function makeArm({ name, settings }: ArmRequest, start: PreparedPolicy, base: PreparedPolicy, seed: number): Arm {
  const { policy, teacherRound } = start;
  const presets = Object.entries(settings.policy.fields).filter(([field]) => isPresetField(field));
  const policyFields = { ...JSON.parse(toSmolVLAJson(policy.config)), ...Object.fromEntries(presets) };
  const config: SettledTrainConfig & { readonly seed: number } = {
    ...withTrainingPreset(settings, policyFields, teacherRound),
    seed,
  };
  const parameters = trainableParameters(policy, config);
  return {
    name,
    config,
    policy,
    parameters: [...parameters.values()],
    optimizer: new AdamW(parameters, config.optimizer),
    maxGradNorm: config.optimizer.gradClipNorm,
    schedule: learningRates(config),
    sharesContext: policy.model.vlm === base.policy.model.vlm,
  };
}

/** How well arms do on held-out episodes: agreement, and for flow matching, which has no teacher, the loss as well. */
async function openMeasure(
  config: SettledTrainConfig & { readonly seed: number },
  prepared: PreparedPolicy,
  data: RunData,
  atEnd: AtEnd,
): Promise<(arm: Arm) => Readonly<Record<string, number>>> {
  const probe = await openProbe(config, prepared, data);
  atEnd(() => probe.dispose());
  const { policy, teacher, objective } = prepared;
  if (teacher !== undefined) return (arm) => probe.measure(arm.policy);
  const loss = heldOutLoss({
    objective,
    policy,
    observations: await probeObservations(config, data, policy.config.chunkSize),
    numNoises: config.heldOut.numNoises,
    seed: config.seed,
  });
  return (arm) => ({ ...probe.measure(arm.policy), loss: loss(arm.policy) });
}
