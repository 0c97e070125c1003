import { concludeComparison } from "./conclude-comparison.js";
import { concludeRun } from "./conclude-run.js";
import { asSentence, countOf, formatShareInterval } from "./format-figure.js";
import type { Conclusion, EvaluationReport, ReportData, StageComparison, Tone } from "./report-data.js";

type Material = Pick<ReportData, "runs" | "comparisons" | "stageComparisons" | "evaluations">;

/**
 * What the figures allow to be said, and what they do not, as sentences. Comparisons come first, as they judge; runs last.
 */
export function conclude({ runs, comparisons, stageComparisons, evaluations }: Material): readonly Conclusion[] {
  return [
    ...comparisons.flatMap(concludeComparison),
    ...stageComparisons.flatMap(concludeStages),
    ...evaluations.flatMap(concludeEvaluation),
    ...runs.flatMap(concludeRun),
  ];
}

function concludeStages(stages: StageComparison): Conclusion[] {
  const { name, findings, isHeldOut, numObservations, numEpisodes } = stages;
  const say = (tone: Tone, text: string): Conclusion => ({ tone, about: name, text });
  const rough =
    numEpisodes < 5 ? `, which come from ${countOf(numEpisodes, "episode")} alone: the figures are rough` : "";
  return [
    ...findings.map((finding) => say("warning", asSentence(finding))),
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
