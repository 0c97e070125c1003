import { againstTeacher } from "./closed-loop/against-teacher.js";
import { type ClosedLoopRequest, compareClosedLoop } from "./closed-loop/compare-closed-loop.js";
import type { ClosedLoopRow, Comparison } from "./comparison.js";
import { judge } from "./judge.js";
import { compareOffline, type OfflinePart, type OfflineRequest } from "./offline/compare-offline.js";
import { stepsOf } from "./steps-of.js";

/** What all measures share, from the comparison itself. */
type Shared = "policies" | "numStepsList" | "deployedSteps" | "signal";

export interface ComparisonRun {
  /** settings and margins, and what is known already: an interrupted comparison is continued */
  readonly comparison: Comparison;
  readonly offline?: Omit<OfflineRequest, Shared> | undefined;
  readonly closedLoop?: Omit<ClosedLoopRequest, Shared | "isDone"> | undefined;
  /** keeps what is known; called before anything is measured, and after each part */
  readonly save: (comparison: Comparison) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Measures everything that is asked for, the samples first. What is measured of samples is continued only as a whole, rows of
 * closed loops one by one.
 *
 * @returns the comparison, "partial" if the signal ended it
 */
export async function runComparison({
  comparison,
  offline,
  closedLoop,
  save,
  signal,
}: ComparisonRun): Promise<Comparison> {
  let current = await saved({ ...comparison, status: "partial" });
  const { policies, settings } = comparison;
  const { numStepsList, deployedSteps } = settings;
  const shared = { policies, numStepsList, deployedSteps, signal };

  async function saved(next: Comparison): Promise<Comparison> {
    const judged = { ...next, verdicts: judge(next) };
    await save(judged);
    return judged;
  }

  if (offline !== undefined && !isOfflineComplete(current)) {
    const parts: OfflinePart[] = [];
    for await (const part of compareOffline({ ...offline, ...shared })) {
      parts.push(part);
      current = await saved({ ...current, offline: joined(parts) });
    }
  }
  if (closedLoop !== undefined) {
    const isDone = (policy: string, numSteps: number): boolean =>
      current.closedLoop?.rows.some(
        (row) => row.policy === policy && row.numSteps === numSteps && row.status === "complete",
      ) ?? false;
    for await (const row of compareClosedLoop({ ...closedLoop, ...shared, isDone })) {
      current = await saved({ ...current, closedLoop: { rows: withRow(current, row, closedLoop.seed) } });
    }
  }
  const isComplete =
    (offline === undefined || isOfflineComplete(current)) &&
    (closedLoop === undefined || isClosedLoopComplete(current));
  return isComplete ? await saved({ ...current, status: "complete" }) : current;
}

const joined = (parts: readonly OfflinePart[]): NonNullable<Comparison["offline"]> => ({
  rows: parts.flatMap(({ rows }) => rows),
  flows: parts.map(({ flow }) => flow),
  otherNoise: parts[0]!.otherNoise!,
});

const isOfflineComplete = ({ offline, policies }: Comparison): boolean => offline?.flows.length === policies.length;

const isClosedLoopComplete = ({ closedLoop, policies, settings }: Comparison): boolean =>
  policies.every((policy, i) =>
    stepsOf(policy, settings, i === 0).every((numSteps) =>
      closedLoop?.rows.some(
        (row) => row.policy === policy.name && row.numSteps === numSteps && row.status === "complete",
      ),
    ),
  );

/** The rows with one more, or a better one, in the order of policies and steps, all against the teacher as deployed. */
function withRow(comparison: Comparison, row: ClosedLoopRow, seed: number): ClosedLoopRow[] {
  const { policies, settings, closedLoop } = comparison;
  const place = ({ policy }: ClosedLoopRow): number => policies.findIndex(({ name }) => name === policy);
  const others = (closedLoop?.rows ?? []).filter(
    ({ policy, numSteps }) => policy !== row.policy || numSteps !== row.numSteps,
  );
  const rows = [...others, row].sort((a, b) => place(a) - place(b) || a.numSteps - b.numSteps);
  const reference = rows.find((other) => place(other) === 0 && other.numSteps === settings.deployedSteps);
  return rows.map((other) =>
    reference === undefined || other === reference || other.against !== undefined
      ? other
      : { ...other, against: againstTeacher(other, reference, seed) },
  );
}
