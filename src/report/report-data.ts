/**
 * What a report shows, as plain JSON: written into the page, or handed to it while a run trains. The page (`page/`) imports
 * these types and nothing else of this package.
 *
 * A figure that is no number (a loss that diverged) is null. What has no value is left out.
 */
import type { Comparison } from "../compare/comparison.js";
import type { Interval, Latency } from "../eval/index.js";

export const REPORT_FORMAT = "reflow-report/1";

export interface ReportData {
  readonly format: typeof REPORT_FORMAT;
  /** ISO 8601, UTC */
  readonly created: string;
  /** of this package */
  readonly version: string;
  /** what to believe and what not, in sentences; the most important first */
  readonly conclusions: readonly Conclusion[];
  readonly runs: readonly RunReport[];
  readonly comparisons: readonly ComparisonReport[];
  /** what pipelines say of their stages */
  readonly stageComparisons: readonly StageComparison[];
  readonly evaluations: readonly EvaluationReport[];
  /** of the worlds in which routes were taken, by their id */
  readonly scenes: Readonly<Record<string, Scene>>;
  readonly clips: ClipList;
  /** files that were found and cannot be used */
  readonly problems: readonly Problem[];
  /** files that a run is going to write */
  readonly awaited: readonly string[];
}

export interface Problem {
  readonly file: string;
  readonly message: string;
}

/** What the page is given: a finished report, or where to ask for one that grows. */
export interface PageContent {
  readonly report: ReportData;
  readonly live?: { readonly url: string; readonly intervalMs: number };
}

/**
 * `kept` and `broken` judge a bound that was stated beforehand, `open` is what the data cannot decide, `warning` what speaks against the
 * policy without a bound.
 */
export type Tone = "kept" | "broken" | "warning" | "open" | "note";

export interface Conclusion {
  readonly tone: Tone;
  /** the run, comparison or evaluation it is about */
  readonly about: string;
  readonly text: string;
}

/** A metric against steps. Long ones are thinned: each point is then the mean of several records, beside their range. */
export interface Series {
  /** the last one of each point */
  readonly steps: readonly number[];
  readonly values: readonly (number | null)[];
  /** records of one point; `low` and `high` are there if it is more than 1 */
  readonly recordsPerPoint: number;
  readonly low?: readonly (number | null)[];
  readonly high?: readonly (number | null)[];
  /** records that were no finite number */
  readonly numNotFinite: number;
}

/** `killed or running`: nothing of its end was recorded. */
export type RunState = "not begun" | "killed or running" | "completed" | "interrupted" | "failed";

export interface RunReport {
  /** unique and short */
  readonly name: string;
  readonly folder: string;
  readonly state: RunState;
  /** what failed */
  readonly failure?: string;
  readonly objective: "flow matching" | "reflow" | "distillation";
  readonly firstRecord?: string;
  readonly lastRecord?: string;
  /** steps done */
  readonly step: number;
  /** steps asked for */
  readonly numSteps?: number;
  /** by the names of `records.jsonl`: `train/loss`, `train/lr`, `eval/noise_explained_1`, ... */
  readonly series: Readonly<Record<string, Series>>;
  readonly lossByTime?: LossByTime;
  readonly events: readonly RunNote[];
  /** lines of the records that are no records, from 1; a last line may be one that is being written */
  readonly droppedLines: readonly number[];
  /** the complete configuration, by dotted path */
  readonly settings: readonly Setting[];
  readonly versions: Readonly<Record<string, string>>;
  /** reflow.json of the last checkpoint, by dotted path */
  readonly provenance: readonly Setting[];
}

export interface Setting {
  readonly path: string;
  readonly value: string;
}

/** Mean losses by bins of training time, 1 being noise. */
export interface LossByTime {
  /** names of the bins, such as `0.0-0.1`, and `1` for the time 1 itself; from small to large */
  readonly bins: readonly string[];
  /** last step of each column */
  readonly steps: readonly number[];
  /** `[bins][columns]` */
  readonly values: readonly (readonly (number | null)[])[];
}

export interface RunNote {
  readonly kind: "start" | "checkpoint" | "warning" | "end";
  readonly step: number;
  readonly time: string;
  readonly message: string;
  /** the run went back to before it */
  readonly isTakenBack: boolean;
}

export interface ComparisonReport {
  readonly name: string;
  readonly folder: string;
  readonly comparison: Comparison;
}

/** What `reflow pipeline` measures after its last stage: agreement with the flow that was straightened first. */
export interface StageComparison {
  readonly name: string;
  readonly folder: string;
  readonly reference: string;
  readonly numObservations: number;
  readonly numNoises: number;
  readonly numReferenceSteps: number;
  readonly numEpisodes: number;
  readonly isHeldOut: boolean;
  readonly policies: readonly { readonly name: string; readonly round?: number; readonly isDistilled: boolean }[];
  readonly rows: readonly {
    readonly policy: string;
    readonly numSteps: number;
    readonly relativeError?: number;
    readonly noiseExplained?: number;
    readonly spreadRatio?: number;
  }[];
  readonly findings: readonly string[];
}

/** One policy in closed loop, of ours or of stock LeRobot. */
export interface EvaluationReport {
  readonly name: string;
  readonly folder: string;
  readonly status: "partial" | "complete";
  readonly environment: string;
  /** Euler steps, as far as it is known */
  readonly numSteps?: number;
  readonly numEpisodes: number;
  readonly numSuccesses: number;
  /** with its 95 % Wilson interval; left out without an episode */
  readonly success?: Interval;
  readonly latency?: Latency;
  /** successful episodes by the way they went */
  readonly modes: Readonly<Record<string, number>>;
  readonly settings: readonly Setting[];
}

/** What routes are drawn over, in the units of the routes. */
export interface Scene {
  readonly x: readonly [low: number, high: number];
  readonly y: readonly [low: number, high: number];
  readonly obstacles: readonly { readonly x: number; readonly y: number; readonly radius: number }[];
  readonly start: readonly [x: number, y: number];
  readonly finishY: number;
  /** words for the ways of the world, by mode */
  readonly modeNames: Readonly<Record<string, string>>;
}

export interface Clip {
  /** what it shows */
  readonly title: string;
  /** as the user knows it */
  readonly file: string;
  /** data URI, or where it is served */
  readonly source: string;
}

export interface ClipList {
  readonly clips: readonly Clip[];
  /** those that are not on the page, and why */
  readonly leftOut: readonly { readonly file: string; readonly reason: string }[];
}
