import type { Examination } from "./examination.js";

/**
 * - `fault`: a policy that is wrong, or a student that is not what its teacher is;
 * - `warning`: works, but is probably not what is meant;
 * - `ok`: looked at and found to be right;
 * - `skipped`: not looked at, for the reason that the evidence gives.
 */
export const VERDICTS = ["fault", "warning", "ok", "skipped"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** What a check says. */
export interface Outcome {
  readonly verdict: Verdict;
  /** what was seen, in figures and names */
  readonly evidence: string;
  /** what to do about it */
  readonly remedy?: string;
}

/** One line of the checklist. */
export interface Diagnosis extends Outcome {
  readonly id: string;
  /** what is claimed, as a sentence that is true for a healthy policy */
  readonly title: string;
}

/** What must have been given, and be readable, for a check to be made. */
export type Need = "student" | "dataset" | "teacher network" | "student network";

export interface Check {
  readonly id: string;
  readonly title: string;
  readonly needs?: readonly Need[];
  /** earlier checks without which this one means nothing: it is skipped if one of them has found a fault */
  readonly after?: readonly string[];
  readonly run: (examination: Examination) => Outcome | Promise<Outcome>;
}

export const ok = (evidence: string): Outcome => ({ verdict: "ok", evidence });
export const fault = (evidence: string, remedy: string): Outcome => ({ verdict: "fault", evidence, remedy });
export const warning = (evidence: string, remedy: string): Outcome => ({ verdict: "warning", evidence, remedy });
export const skipped = (reason: string): Outcome => ({ verdict: "skipped", evidence: reason });

/** Two digits, as people say numbers: 0.023, 4.5, 120. */
export const figure = (value: number): string => String(Number(value.toPrecision(2)));

/** `23 %` */
export const percent = (share: number): string => `${figure(100 * share)} %`;
