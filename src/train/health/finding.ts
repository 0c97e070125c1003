/** What the watch can find. */
export const FINDING_KINDS = [
  "not-finite",
  "overflow-ahead",
  "update-too-large",
  "loss-risen",
  "loss-swings",
  "gradient-jump",
  "drift-from-teacher",
  "standstill",
  "frozen-weights",
  "loss-collapsed",
  "noise-ignored",
  "spread-lost",
] as const;

export type FindingKind = (typeof FINDING_KINDS)[number];

/**
 * Critical is what spoils the policy for certain if the run goes on. A warning is worth a look.
 */
export type Severity = "warning" | "critical";

/** What is wrong with a run, in numbers and in words. */
export interface Finding {
  readonly kind: FindingKind;
  readonly severity: Severity;
  /** steps done when it was found */
  readonly step: number;
  /** the last step before which nothing of it shows: checkpoints up to here are good */
  readonly lastGoodStep: number;
  readonly figures: Readonly<Record<string, number>>;
  /** what was seen, as a sentence with its numbers */
  readonly message: string;
  /** what to do, as a sentence */
  readonly advice: string;
}

const CURED_BY_SMALLER_RATE: ReadonlySet<FindingKind> = new Set([
  "not-finite",
  "overflow-ahead",
  "update-too-large",
  "loss-risen",
  "loss-swings",
  "gradient-jump",
  "drift-from-teacher",
]);

/** Whether a smaller learning rate is a remedy. It is none for a rate that is too small already. */
export const isCuredBySmallerRate = ({ kind }: Pick<Finding, "kind">): boolean => CURED_BY_SMALLER_RATE.has(kind);

/** `health at step 120: the loss has risen ... Lower optimizer_lr ...` */
export const describeFinding = ({ step, message, advice }: Finding): string =>
  `health at step ${step}: ${message}. ${advice}`;
