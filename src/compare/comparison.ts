/**
 * What `reflow compare` finds out, as it is written to `comparison.json` and read by the report. Plain JSON: a measure that
 * has no value is left out.
 *
 * Letters: `O` observations, `K` noises for each.
 */
import type {
  Agreement,
  IdentityCheck,
  IdentityTerms,
  Interval,
  Latency,
  McNemarTest,
  ModeComparison,
  SplitDistance,
  Straightness,
  VelocityDeviation,
} from "../eval/index.js";
import type { RolloutSummary } from "../rollout/index.js";

export const COMPARISON_FILE = "comparison.json";
export const COMPARISON_FORMAT = "reflow-comparison/1";

export interface Comparison {
  readonly format: typeof COMPARISON_FORMAT;
  /** ISO 8601, UTC */
  readonly created: string;
  /** "partial" until everything that was asked for is in */
  readonly status: "partial" | "complete";
  /** of everything that the figures depend on: a partial comparison is continued by one of the same fingerprint */
  readonly fingerprint?: string;
  /** stated before anything was measured */
  readonly margins: Margins;
  readonly settings: ComparisonSettings;
  /** the first is the teacher: the reference of all others */
  readonly policies: readonly ComparedPolicy[];
  readonly offline?: OfflineComparison;
  readonly closedLoop?: ClosedLoopComparison;
  /** one per policy that is not the teacher, number of steps and margin that could be judged: see `judge` */
  readonly verdicts: readonly Verdict[];
}

/** How much worse than the teacher with its deployed number of steps a policy may be. */
export interface Margins {
  /** success rate, as a difference: 0.02 is two points */
  readonly success: number;
  /** entropy of ways, as a share of the teacher's: 0.05 lets a policy have 95 % of it */
  readonly entropyShare: number;
  /** share of samples between the teacher's modes, as a difference */
  readonly betweenModes: number;
}

export interface ComparisonSettings {
  readonly numStepsList: readonly number[];
  /** of the teacher, as it is deployed */
  readonly deployedSteps: number;
  readonly seed: number;
  readonly device: string;
  readonly precision: string;
  readonly dataset?: {
    readonly root: string;
    readonly episodes: readonly number[];
    readonly numObservations: number;
    readonly numNoises: number;
    /** of Heun's method, for flows that are solved well */
    readonly referenceSteps?: number;
    /** of Euler's method, for the shape of paths; also the number of times of the loss */
    readonly pathSteps?: number;
    /** what is known about whether the policies have learnt from the episodes, as sentences */
    readonly remarks?: readonly string[];
  };
  readonly environment?: {
    readonly id: string;
    /** that differ from the world's defaults */
    readonly options?: Readonly<Record<string, unknown>>;
    readonly numEpisodes: number;
    /** actions of a chunk that are carried out, by all policies */
    readonly numActionSteps: number;
  };
  readonly versions: Readonly<Record<string, string>>;
}

export interface ComparedPolicy {
  /** unique and short, for tables */
  readonly name: string;
  readonly folder: string;
  /** `k` of its reflow.json: 1 for a policy that was never straightened */
  readonly round: number;
  /** trained for one step only */
  readonly isDistilled: boolean;
  /** its reflow.json, if it has one */
  readonly provenance?: unknown;
}

export interface OfflineComparison {
  readonly rows: readonly OfflineRow[];
  readonly flows: readonly FlowShape[];
  /** agreement of the teacher's converged samples with its own from other noises: the scale of chance */
  readonly otherNoise: Agreement;
}

/** One policy with one number of Euler steps, against the teacher; normalised units, the whole chunk. */
export interface OfflineRow {
  readonly policy: string;
  readonly numSteps: number;
  /** with its own converged flow; its `relativeError` is e_self */
  readonly self: Agreement;
  /** with the teacher's converged flow; its `relativeError` is e_teach */
  readonly teacher: Agreement;
  /** 95 % bootstrap interval over observations of `teacher.noiseExplained`; left out below 20 observations */
  readonly noiseExplainedInterval?: Interval;
  /** with the teacher as deployed */
  readonly deployed?: Agreement;
  /** as `teacher`, of the actions that are carried out */
  readonly executed: Agreement;
  /** root mean squared difference from the teacher's converged flow, by action dimension in its own units */
  readonly errorPerDimension: readonly number[];
  /** of the mean action of each chunk: single actions scatter too much to show modes in many dimensions */
  readonly modes: ModeComparison;
  /** `modes.betweenModes` less that of the teacher as deployed, with its 95 % bootstrap interval over observations; left out below 20 */
  readonly betweenModesBeyondTeacher?: Interval;
  readonly energyDistance?: SplitDistance;
  readonly slicedWasserstein?: SplitDistance;
}

/** How one policy's flow runs from noise to actions. */
export interface FlowShape extends Straightness {
  readonly policy: string;
  /** mean of `|u(noise, 1) - (noise - a_ref)|^2` */
  readonly initialVelocityDelta: number;
  readonly identity?: IdentityCheck & IdentityTerms;
  readonly velocityDeviation: readonly VelocityDeviation[];
  /** ways from several noises of one observation */
  readonly paths: FlowPaths;
}

/**
 * The state of the flow along the way, projected on the first two principal components of the teacher's converged samples of
 * one observation. All policies: same observation, same noises, same projection, same order.
 */
export interface FlowPaths {
  /** from 1 to 0 */
  readonly times: readonly number[];
  /** `[K][times][2]` */
  readonly points: readonly (readonly (readonly [number, number])[])[];
}

export interface ClosedLoopComparison {
  readonly rows: readonly ClosedLoopRow[];
}

/** One policy with one number of Euler steps in closed loop. Episode i has the same start and noises in every row. */
export interface ClosedLoopRow {
  readonly policy: string;
  readonly numSteps: number;
  /** "partial" if it was ended before all episodes */
  readonly status: "partial" | "complete";
  readonly summary: RolloutSummary;
  /** of this row (second) against the teacher with its deployed steps (first); left out for that row itself */
  readonly against?: McNemarTest & {
    /** 95 % interval of the paired difference in success, by Newcombe's method: it has a width where both never differ */
    readonly differenceInterval?: Interval;
    /** entropy of ways over the teacher's, both corrected for few episodes; left out if either is undefined */
    readonly entropyShare?: number;
    /** its 95 % interval, by bootstrap over episodes; left out below 20 */
    readonly entropyShareInterval?: Interval;
    /** total variation between the two histograms of ways, and what chance alone would give */
    readonly modeDistance?: { readonly totalVariation: number; readonly byChance: number };
    /** of the episodes in which both succeeded, the share that went the same way */
    readonly sameMode?: number;
  };
  readonly latency?: Latency;
  /** seconds of the wall clock for all its episodes */
  readonly seconds: number;
  readonly episodes: readonly {
    readonly index: number;
    readonly seed: number;
    readonly success: boolean;
    readonly length: number;
    readonly mode: string;
  }[];
  /** positions of the first episodes, in the first two dimensions of the state, for drawing */
  readonly routes: readonly { readonly success: boolean; readonly points: readonly (readonly [number, number])[] }[];
  /** mp4 files, relative to the comparison's folder */
  readonly videos: readonly string[];
}

export interface Verdict {
  readonly policy: string;
  readonly numSteps: number;
  readonly measure: keyof Margins;
  /** success: the rate; entropyShare: the share; betweenModes: the share of samples */
  readonly value: number;
  /** what `value` has to keep, from the margin and the teacher's figure: the least allowed, for betweenModes the most */
  readonly bound: number;
  readonly isMet: boolean;
  /** whether the interval of `value` keeps it too; left out where there is no interval */
  readonly isCertain?: boolean;
}
