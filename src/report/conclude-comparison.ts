import type { ClosedLoopRow, Comparison, OfflineRow, Verdict } from "../compare/comparison.js";
import { asSentence, countOf, formatFigure, formatPoints, formatShare, formatShareInterval } from "./format-figure.js";
import { byTone, type Said } from "./order-conclusions.js";
import type { ComparisonReport, Conclusion } from "./report-data.js";

/** Below this many episodes a success rate is a rough guess, whatever its interval. */
const FEW_EPISODES = 100;

/** What a comparison allows to be said: its verdicts in words, what stands against them, and what it cannot know. */
export function concludeComparison({ name, comparison }: ComparisonReport): Conclusion[] {
  const said: readonly Said[] = [
    ...(comparison.status === "partial" ? [PARTIAL] : []),
    ...comparison.verdicts.map((verdict) => concludeVerdict(verdict, comparison)),
    ...(comparison.offline?.rows ?? []).flatMap((row) => concludeSamples(row, comparison)),
    ...(comparison.settings.dataset?.remarks ?? []).map((remark): Said => ["open", asSentence(remark)]),
    ...concludeModes(comparison),
    ...concludeClosedLoop(comparison),
  ];
  const sentences = [...said].sort(byTone);
  return [...concludeBest(comparison), ...sentences].map(([tone, text]) => ({ tone, about: name, text }));
}

/** What a reader wants to know first: how few steps will do, and whether that is certain. */
function concludeBest({ verdicts, policies, margins }: Comparison): readonly Said[] {
  const stated =
    `Margins stated beforehand: ${formatPoints(margins.success).slice(1)} of success, ` +
    `${formatShare(margins.entropyShare)} of the entropy of ways, ` +
    `${formatPoints(margins.betweenModes).slice(1)} of samples between modes.`;
  if (verdicts.length === 0) return [["open", `${stated} Nothing was measured that could be held against them.`]];
  const fewestSteps = (isKept: (verdict: Verdict) => boolean): string =>
    policies
      .slice(1)
      .flatMap(({ name }) => {
        const own = verdicts.filter(({ policy }) => policy === name);
        const broken = own.filter((verdict) => !isKept(verdict)).map(({ numSteps }) => numSteps);
        const kept = own.map(({ numSteps }) => numSteps).filter((numSteps) => !broken.includes(numSteps));
        return kept.length === 0 ? [] : [`${name} with ${countOf(Math.min(...kept), "step")}`];
      })
      .join(", ");
  const judged = new Set(verdicts.map(({ measure }) => measure));
  const unjudged = (Object.keys(MEASURES) as Verdict["measure"][]).filter((measure) => !judged.has(measure));
  const missing =
    unjudged.length === 0 ? "" : ` Not judged: ${unjudged.map((measure) => MEASURES[measure].noun).join(", ")}.`;
  const certain = fewestSteps(({ isMet, isCertain }) => isMet && isCertain === true);
  if (certain !== "") {
    const tone = judged.has("success") ? "kept" : "open";
    return [
      [tone, `${stated} Fewest steps that keep all that was judged, with their whole intervals: ${certain}.${missing}`],
    ];
  }
  const estimated = fewestSteps(({ isMet }) => isMet);
  if (estimated === "") return [["broken", `${stated} With no number of steps are all of them kept.${missing}`]];
  return [["open", `${stated} None is kept for certain; by the estimates alone: ${estimated}.${missing}`]];
}

const PARTIAL: Said = ["open", "Not everything that was asked for has been measured yet."];

const MEASURES: Readonly<
  Record<
    Verdict["measure"],
    { readonly noun: string; readonly side: string; readonly format: (value: number) => string }
  >
> = {
  success: { noun: "success", side: "at least", format: formatShare },
  entropyShare: { noun: "variety of ways (entropy)", side: "at least", format: formatFigure },
  betweenModes: { noun: "share of samples between modes", side: "at most", format: formatShare },
};

function concludeVerdict(verdict: Verdict, comparison: Comparison): Said {
  const { noun, side, format } = MEASURES[verdict.measure];
  const who = `${verdict.policy} with ${countOf(verdict.numSteps, "step")}`;
  const figures = `${noun} ${format(verdict.value)}, bound ${side} ${format(verdict.bound)}`;
  const paired = verdict.measure === "success" ? pairedDifference(verdict, comparison) : "";
  if (!verdict.isMet) return ["broken", `${who} does not keep the margin: ${figures}${paired}.`];
  if (verdict.isCertain !== true) {
    const why = verdict.isCertain === false ? "The interval reaches beyond the bound." : "There is no interval.";
    return ["open", `${who} keeps the margin by its estimate only: ${figures}${paired}. ${why}`];
  }
  return ["kept", `${who} keeps the margin, and so does its whole 95 % interval: ${figures}${paired}.`];
}

/** `; 3.2 points less than the teacher with 10 steps (95 %: ...), in 200 paired episodes` */
function pairedDifference({ policy, numSteps }: Verdict, { closedLoop, policies, settings }: Comparison): string {
  const row = closedLoop?.rows.find((candidate) => candidate.policy === policy && candidate.numSteps === numSteps);
  const difference = row?.against?.difference;
  if (row === undefined || difference === undefined) return "";
  const interval = row.against?.differenceInterval;
  const range = interval
    ? ` (95 %: ${formatPoints(interval.low).replace(" points", "")} to ${formatPoints(interval.high)})`
    : "";
  return (
    `; ${formatPoints(difference)}${range} against ${policies[0]!.name} with ` +
    `${countOf(settings.deployedSteps, "step")} in ${row.summary.numEpisodes} paired episodes`
  );
}

/** Samples that are worse than they look. */
function concludeSamples({ policy, numSteps, teacher }: OfflineRow, { policies }: Comparison): readonly Said[] {
  const { relativeError, noiseExplained } = teacher;
  if (policy === policies[0]!.name || noiseExplained === undefined || noiseExplained > 0) return [];
  const error = relativeError === undefined ? "" : `, though its relative error is ${formatShare(relativeError)}`;
  return [
    [
      "warning",
      `${policy} with ${countOf(numSteps, "step")} follows the noise worse than a policy that ignores it: noise explained ` +
        `${formatFigure(noiseExplained)}${error}.`,
    ],
  ];
}

function concludeModes({ offline, settings }: Comparison): readonly Said[] {
  if (offline === undefined || offline.rows.length === 0) return [];
  const numMultimodal = Math.max(...offline.rows.map(({ modes }) => modes.numMultimodal));
  const numObservations = settings.dataset?.numObservations;
  const of = numObservations === undefined ? "the observations" : `the ${numObservations} observations`;
  if (numMultimodal > 0) {
    return [["note", `In ${numMultimodal} of ${of} the teacher has two modes; what is said of modes rests on those.`]];
  }
  return [
    ["open", `In none of ${of} does the teacher have two modes: the samples cannot show whether modes are kept.`],
  ];
}

function concludeClosedLoop({ closedLoop, policies, settings }: Comparison): readonly Said[] {
  const rows = closedLoop?.rows ?? [];
  if (rows.length === 0)
    return [["open", "Nothing was run in closed loop: agreement with the teacher is no success rate."]];
  const deployed = rows.find(
    ({ policy, numSteps }) => policy === policies[0]!.name && numSteps === settings.deployedSteps,
  );
  const fewest = Math.min(...rows.map(({ summary }) => summary.numEpisodes));
  return [
    ...(deployed ? concludeTeacher(deployed) : []),
    ...(fewest < FEW_EPISODES
      ? [
          [
            "open",
            `Some rows have ${countOf(fewest, "episode")} only: differences of ten points can be chance.`,
          ] as const,
        ]
      : []),
    [
      "open",
      "Intervals are over episodes. Another training seed or another world may give other figures, and no interval here knows that.",
    ],
  ];
}

function concludeTeacher({ policy, numSteps, summary }: ClosedLoopRow): readonly Said[] {
  const { success, numSuccesses, numEpisodes } = summary;
  if (success === undefined) return [];
  const text = `The reference, ${policy} with ${countOf(numSteps, "step")}, succeeds in ${numSuccesses} of ${numEpisodes} episodes: ${formatShareInterval(success)}.`;
  if (success.value > 0.2) return [["note", text]];
  return [["warning", `${text} A teacher that fails this often is no measure for its students.`]];
}
