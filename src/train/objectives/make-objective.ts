/** From the settings of a run to the objective that it follows. */
import {
  entryWeights,
  gridByName,
  sampleTime,
  solverByName,
  timeLaw,
  type VelocityDistance,
  velocityDistance,
  withAtoms,
} from "../../flow/index.js";
import type { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import { actionDim, type SmolVLAConfig } from "../../smolvla/config.js";
import { type Tensor, toDevice } from "../../torch/index.js";
import type { ReflowSettings, TimeSettings, TrainConfig } from "../config.js";
import { annealed } from "../couplings/annealed.js";
import { buffered } from "../couplings/buffered.js";
import type { Coupling } from "../couplings/coupling.js";
import { demonstrations } from "../couplings/demonstrations.js";
import { stored } from "../couplings/stored.js";
import { type TeacherOptions, teacherPairs } from "../couplings/teacher.js";
import { truncated } from "../couplings/truncated.js";
import { withCheckedPairs } from "../couplings/with-checked-pairs.js";
import { withRealData } from "../couplings/with-real-data.js";
import type { PairSet } from "../pairs/pair-set.js";
import { perturbStates } from "./perturb-state.js";
import { type DrawTimes, VelocityMatching } from "./velocity-matching.js";

/** Draws times by a law, and single times beside it. */
export function timesOf({ law, atoms, shareAtAtoms, ...parameters }: TimeSettings): DrawTimes {
  const mixture = withAtoms(timeLaw({ law, ...parameters }), atoms, shareAtAtoms);
  return (numSamples, generator) => sampleTime(mixture, numSamples, generator);
}

/** Flow matching on demonstrations: a first flow. */
export const flowMatching = (policy: SmolVLAPolicy, { flowMatching: settings }: TrainConfig): VelocityMatching =>
  new VelocityMatching({
    name: "flow_matching",
    model: policy.model,
    device: policy.device,
    coupling: demonstrations(policy.config, policy.device, settings.noisesPerObservation),
    times: timesOf(settings.time),
    loss: { distance: velocityDistance({ kind: "l2" }) },
    hasFrozenContext: policy.config.trainExpertOnly,
  });

export interface ReflowParts {
  readonly teacher: SmolVLAPolicy;
  readonly student: SmolVLAPolicy;
  /** whether the student looks through the teacher's own vision-language model */
  readonly sharesContext: boolean;
  readonly seed: number;
  /** stored pairs in place of the teacher's fresh ones, and the frames of the run */
  readonly stored: { readonly pairs: PairSet; readonly frames: readonly number[] } | undefined;
}

/** How a run's teacher makes pairs. */
export const teacherOptions = (
  { reflow, policy }: Pick<TrainConfig, "reflow" | "policy">,
  teacher: SmolVLAPolicy,
  sharesContext: boolean,
): TeacherOptions => ({
  teacher: teacher.model,
  config: teacher.config,
  device: teacher.device,
  sharesContext,
  solver: solverByName(reflow.teacherSolver),
  grid: gridByName(reflow.teacherGrid),
  numSteps: policy.reflowNumInferenceSteps,
  paddedDims: reflow.paddedDims,
  numNoises: reflow.noisesPerObservation,
});

/** Reflow or distillation of a teacher. */
export function reflow(config: TrainConfig, parts: ReflowParts): VelocityMatching {
  const { reflow: settings } = config;
  const { student } = parts;
  const { trainExpertOnly } = student.config;
  return new VelocityMatching({
    name: settings.stage === "distill" ? "distillation" : "reflow",
    model: student.model,
    device: student.device,
    coupling: couplingOf(config, parts),
    times: timesOf(settings.time),
    independentTimes: timesOf({ ...settings.time, law: settings.real.timeLaw, shareAtAtoms: 0 }),
    loss: {
      distance: distanceOf(settings.loss),
      weights: weightsOf(settings, student.config, student.device),
      smoothness: settings.loss.smoothness,
    },
    hasFrozenContext: parts.sharesContext || trainExpertOnly,
    perturb:
      settings.stateNoise > 0
        ? perturbStates(student.config, student.device, settings.stateNoise, parts.seed)
        : undefined,
  });
}

/** Pairs fresh, kept or stored; then what is done to them. */
function couplingOf(config: TrainConfig, { teacher, sharesContext, seed, stored: kept }: ReflowParts): Coupling {
  const { truncateShare, annealSteps, real, pairUses, bufferBatches, noisesPerObservation } = config.reflow;
  const options = teacherOptions(config, teacher, sharesContext);
  let coupling: Coupling = withCheckedPairs(
    kept
      ? stored({ ...kept, numNoises: noisesPerObservation, truncateShare, device: teacher.device })
      : teacherPairs(options),
  );
  if (truncateShare > 0 && kept === undefined) coupling = truncated(coupling, truncateShare, actionDim(teacher.config));
  if (real.share > 0) coupling = withRealData(coupling, real, options);
  if (pairUses > 1) coupling = buffered(coupling, bufferBatches, seed);
  return annealSteps > 0 ? annealed(coupling, annealSteps, teacher.device) : coupling;
}

const distanceOf = ({ distance, huberC, adaptivePower, adaptiveC }: ReflowSettings["loss"]): VelocityDistance =>
  velocityDistance({ kind: distance, huberC: huberC ?? null, adaptivePower, adaptiveC });

/** Weights of a chunk's entries on the device; undefined if all count alike. */
function weightsOf({ loss, paddedDims }: ReflowSettings, config: SmolVLAConfig, device: string): Tensor | undefined {
  const paddedShare = paddedDims === "mask" ? 0 : loss.paddedShare;
  if (paddedShare === undefined && loss.executedWeight === 1) return undefined;
  const weights = entryWeights({
    chunkSize: config.chunkSize,
    actionDim: actionDim(config),
    maxActionDim: config.maxActionDim,
    numExecuted: config.nActionSteps,
    executedWeight: loss.executedWeight,
    ...(paddedShare === undefined ? {} : { paddedShare }),
  });
  return toDevice(weights, device);
}
