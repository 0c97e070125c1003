import type { ClosedLoopRow, Comparison, Margins, OfflineRow, Verdict } from "./comparison.js";

/** How much worse a policy may be, unless other margins are stated. */
export const DEFAULT_MARGINS: Margins = { success: 0.02, entropyShare: 0.05, betweenModes: 0.02 };

type Judged = Pick<Comparison, "margins" | "settings" | "policies" | "offline" | "closedLoop">;

/**
 * Holds every policy but the teacher against the margins, wherever there is a figure of it and of the teacher with its deployed
 * number of steps: success rate and entropy of ways of complete rows, samples between modes. One that was trained for one step is
 * judged by that alone. A success that leapt over a level of the world, so that its way is undecided, is none here: a policy that has
 * lost its statistics flies past all obstacles. A teacher that succeeds no more often than the margin is no measure of success:
 * nothing is said of it then.
 */
export function judge({ margins, settings, policies, offline, closedLoop }: Judged): Verdict[] {
  const [teacher] = policies;
  const isReference = ({ policy, numSteps }: { readonly policy: string; readonly numSteps: number }): boolean =>
    policy === teacher!.name && numSteps === settings.deployedSteps;
  const driven = closedLoop?.rows.filter(({ status }) => status === "complete") ?? [];
  const [drivenReference, sampledReference] = [driven.find(isReference), offline?.rows.find(isReference)];
  return policies.slice(1).flatMap(({ name, isDistilled }) => {
    const isJudged = ({ policy, numSteps }: { readonly policy: string; readonly numSteps: number }): boolean =>
      policy === name && (!isDistilled || numSteps === 1);
    return [
      ...driven.filter(isJudged).flatMap((row) => ofClosedLoop(row, drivenReference, margins)),
      ...(offline?.rows ?? []).filter(isJudged).flatMap((row) => ofSamples(row, sampledReference, margins)),
    ];
  });
}

function ofClosedLoop(row: ClosedLoopRow, reference: ClosedLoopRow | undefined, margins: Margins): Verdict[] {
  const { policy, numSteps, summary, against } = row;
  if (reference === undefined || against === undefined) return [];
  const [own, teachers] = [judgedSuccess(summary), judgedSuccess(reference.summary)];
  const lowest = against.differenceInterval && against.differenceInterval.low - leapRate(summary);
  const share = against.entropyShare;
  const lowestShare = against.entropyShareInterval?.low;
  const leastShare = 1 - margins.entropyShare;
  return [
    ...(own === undefined || teachers === undefined || teachers <= margins.success
      ? []
      : [
          {
            ...{ policy, numSteps, measure: "success" as const, value: own, bound: teachers - margins.success },
            isMet: isAtLeast(own, teachers - margins.success),
            isCertain: lowest === undefined ? undefined : isAtLeast(lowest, -margins.success),
          },
        ]),
    ...(share === undefined
      ? []
      : [
          {
            ...{ policy, numSteps, measure: "entropyShare" as const, value: share, bound: leastShare },
            isMet: isAtLeast(share, leastShare),
            isCertain: lowestShare === undefined ? undefined : isAtLeast(lowestShare, leastShare),
          },
        ]),
  ];
}

const leapRate = ({ numUndecidedModes, numEpisodes }: ClosedLoopRow["summary"]): number =>
  numEpisodes === 0 ? 0 : numUndecidedModes / numEpisodes;

/** The success rate that verdicts are about: without successes that leapt over a level. */
export const judgedSuccess = (summary: ClosedLoopRow["summary"]): number | undefined =>
  summary.success && summary.success.value - leapRate(summary);

function ofSamples(row: OfflineRow, reference: OfflineRow | undefined, margins: Margins): Verdict[] {
  if (reference === undefined) return [];
  const { policy, numSteps, modes, betweenModesBeyondTeacher: beyond } = row;
  const [value, bound] = [modes.betweenModes, reference.modes.betweenModes + margins.betweenModes];
  return [
    {
      ...{ policy, numSteps, measure: "betweenModes" as const, value, bound },
      isMet: isAtLeast(bound, value),
      isCertain: beyond === undefined ? undefined : isAtLeast(margins.betweenModes, beyond.high),
    },
  ];
}

/** 0.98 - 0.02 is not quite 0.96 in floating point: a figure at its bound keeps it. */
const isAtLeast = (value: number, bound: number): boolean => value >= bound - 1e-9;
