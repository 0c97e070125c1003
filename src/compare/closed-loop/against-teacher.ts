import { countModes, modeDistance, modeEntropy } from "../../env/index.js";
import { bootstrapInterval, mcnemarTest, meanOf } from "../../eval/index.js";
import { deriveSeed } from "../../support/derive-seed.js";
import type { ClosedLoopRow } from "../comparison.js";
import { LEAST_OF_BOOTSTRAP } from "../few-observations.js";
import { pairedDifference } from "./paired-difference.js";

type Outcome = ClosedLoopRow["episodes"][number];

/** One episode of both. */
interface Pair {
  readonly teacher: Outcome;
  readonly own: Outcome;
}

/**
 * A row against the teacher's with its deployed number of steps, over the episodes that both have: they began in the same state
 * and drew the same noises.
 *
 * @returns undefined if they have none in common
 */
export function againstTeacher(row: ClosedLoopRow, teacherRow: ClosedLoopRow, seed: number): ClosedLoopRow["against"] {
  const byIndex = new Map(teacherRow.episodes.map((episode) => [episode.index, episode]));
  const pairs = row.episodes.flatMap((own): Pair[] => {
    const teacher = byIndex.get(own.index);
    return teacher === undefined ? [] : [{ teacher, own }];
  });
  if (pairs.length === 0) return undefined;
  const test = mcnemarTest(
    pairs.map(({ teacher }) => teacher.success),
    pairs.map(({ own }) => own.success),
  );
  return {
    ...test,
    differenceInterval: pairedDifference(test),
    ...varietyOf(pairs, Object.keys(row.summary.modes), deriveSeed(seed, "variety")),
  };
}

/** Nothing for a world that tells no ways apart. */
function varietyOf(pairs: readonly Pair[], modes: readonly string[], seed: number): Partial<ClosedLoopRow["against"]> {
  if (modes.length < 2) return {};
  const countsOf = (episodes: readonly Outcome[]) => countModes(episodes, modes).counts;
  const entropyShare = (drawn: readonly Pair[]): number | undefined => {
    const [own, teacher] = [drawn.map((pair) => pair.own), drawn.map((pair) => pair.teacher)].map(
      (episodes) => modeEntropy(countsOf(episodes)).corrected,
    );
    return own === undefined || !teacher ? undefined : own / teacher;
  };
  const bothSucceeded = pairs.filter(({ teacher, own }) => teacher.success && own.success);
  return {
    entropyShare: entropyShare(pairs),
    entropyShareInterval:
      pairs.length < LEAST_OF_BOOTSTRAP ? undefined : bootstrapInterval(pairs, entropyShare, { seed }),
    modeDistance: modeDistance(countsOf(pairs.map(({ own }) => own)), countsOf(pairs.map(({ teacher }) => teacher))),
    sameMode: meanOf(bothSucceeded.map(({ teacher, own }) => Number(teacher.mode === own.mode))),
  };
}
