import {
  agreementOf,
  agreementSums,
  bootstrapInterval,
  compareModes,
  energyDistance,
  errorPerDimension,
  meanAction,
  meanOf,
  measureAgreement,
  slicedWasserstein,
  splitDistance,
  viewActions,
} from "../../eval/index.js";
import { deriveSeed } from "../../support/derive-seed.js";
import type { HostArray } from "../../support/host-array.js";
import type { OfflineRow } from "../comparison.js";
import { LEAST_OF_BOOTSTRAP } from "../few-observations.js";
import { hostRows } from "./host-rows.js";

/** What samples are held against; arrays are float32 `[O, K, A, M]`. */
export interface TeacherReference {
  readonly converged: HostArray;
  /** as it is deployed */
  readonly deployed: HostArray;
  /** the converged ones in the robot's units */
  readonly robot: HostArray;
  /** share of the deployed samples between the modes, by observation */
  readonly deployedBetween: readonly number[];
}

export interface RowRequest {
  readonly policy: string;
  readonly numSteps: number;
  readonly samples: HostArray;
  /** the policy's own converged samples */
  readonly converged: HostArray;
  readonly toRobotUnits: (samples: HostArray) => HostArray;
  /** actions of a chunk that are carried out */
  readonly numActionSteps: number;
  readonly teacher: TeacherReference;
  readonly seed: number;
}

/** Fewer cannot be split into halves. */
const LEAST_NOISES_OF_DISTANCES = 4;

/** Samples of one policy with one number of steps, against the teacher's. */
export function offlineRow({
  policy,
  numSteps,
  samples,
  converged,
  teacher,
  seed,
  ...request
}: RowRequest): OfflineRow {
  const { numActionSteps, toRobotUnits } = request;
  const executed = (array: HostArray): HostArray => viewActions(array, { numActionSteps });
  const hasDistances = samples.shape[1]! >= LEAST_NOISES_OF_DISTANCES;
  const split = (measure: (samples: HostArray, reference: HostArray) => number) =>
    hasDistances ? splitDistance(samples, teacher.converged, measure, deriveSeed(seed, "split")) : undefined;
  const interval = <T>(observations: readonly T[], statistic: (drawn: readonly T[]) => number | undefined) =>
    observations.length < LEAST_OF_BOOTSTRAP
      ? undefined
      : bootstrapInterval(observations, statistic, { seed: deriveSeed(seed, "bootstrap") });
  const between = betweenModes(samples, teacher.converged);
  return {
    policy,
    numSteps,
    self: measureAgreement(samples, converged),
    teacher: measureAgreement(samples, teacher.converged),
    noiseExplainedInterval: interval(
      agreementSums(samples, teacher.converged),
      (drawn) => agreementOf(drawn).noiseExplained,
    ),
    deployed: measureAgreement(samples, teacher.deployed),
    executed: measureAgreement(executed(samples), executed(teacher.converged)),
    errorPerDimension: errorPerDimension(toRobotUnits(samples), teacher.robot),
    modes: compareModes(meanAction(samples), meanAction(teacher.converged)),
    betweenModesBeyondTeacher: interval(
      between.map((share, o) => share - teacher.deployedBetween[o]!),
      meanOf,
    ),
    energyDistance: split(energyDistance),
    slicedWasserstein: split((a, b) => slicedWasserstein(a, b, { seed: deriveSeed(seed, "directions") })),
  };
}

/** The share of samples between the modes of a reference, by observation; modes of the chunks' mean actions. */
export function betweenModes(samples: HostArray, reference: HostArray): number[] {
  const [mean, referenceMean] = [meanAction(samples), meanAction(reference)];
  return Array.from(
    { length: samples.shape[0]! },
    (_, o) => compareModes(hostRows(mean, o, o + 1), hostRows(referenceMean, o, o + 1)).betweenModes,
  );
}
