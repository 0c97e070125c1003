import { concludeComparison } from "./conclude-comparison.js";
import { concludeRun } from "./conclude-run.js";
import { countOf, formatShareInterval } from "./format-figure.js";
import type { Conclusion, EvaluationReport, ReportData, StageComparison, Tone } from "./report-data.js";

/** Verdicts first, then what is open, then what else a reader should know. */
const ORDER: readonly Tone[] = ["broken", "open", "kept", "note"];

type Material = Pick<ReportData, "runs" | "comparisons" | "stageComparisons" | "evaluations">;

/**
 * What the figures allow to be said, and what they do not, as sentences. Whatever was judged comes before what was only
 * measured, and within that the worst comes first.
 */
export function conclude({ runs, comparisons, stageComparisons, evaluations }: Material): readonly Conclusion[] {
  const sorted = (conclusions: readonly Conclusion[]): Conclusion[] =>
    [...conclusions].sort((a, b) => ORDER.indexOf(a.tone) - ORDER.indexOf(b.tone));
  return [
    ...comparisons.flatMap((report) => sorted(concludeComparison(report))),
    ...stageComparisons.flatMap((report) => sorted(concludeStages(report))),
    ...evaluations.flatMap(concludeEvaluation),
    ...sorted(runs.flatMap(concludeRun)),
  ];
}

function concludeStages(stages: StageComparison): Conclusion[] {
  const { name, findings, isHeldOut, numObservations, numEpisodes } = stages;
  const say = (tone: Tone, text: string): Conclusion => ({ tone, about: name, text });
  const rough =
    numEpisodes < 5 ? `, which come from ${countOf(numEpisodes, "episode")} alone: the figures are rough` : "";
  return [
    ...findings.map((finding) => say("broken", asSentence(finding))),
    ...(findings.length > 0 ? [] : [say("note", "No stage lost variety, and each was closer at its fewest steps.")]),
    ...(isHeldOut
      ? [say("note", `Measured on ${numObservations} observations that no stage has learnt from${rough}.`)]
      : [say("open", "Measured on episodes that the stages have learnt from: on new ones they may be worse.")]),
    say("open", "Agreement with the original is no success rate: nothing here has moved a robot."),
  ];
}

function concludeEvaluation({
  name,
  environment,
  status,
  success,
  numSuccesses,
  numEpisodes,
  numSteps,
}: EvaluationReport) {
  const steps = numSteps === undefined ? "" : ` with ${countOf(numSteps, "Euler step")}`;
  const text =
    success === undefined
      ? "No episode was finished."
      : `Succeeds in ${numSuccesses} of ${countOf(numEpisodes, "episode")} of ${environment}${steps}: ${formatShareInterval(success)}.`;
  const conclusions: Conclusion[] = [{ tone: "note", about: name, text }];
  if (status === "partial") {
    conclusions.push({ tone: "open", about: name, text: "It was ended before all episodes were run." });
  }
  return conclusions;
}

const asSentence = (text: string): string => {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
};
