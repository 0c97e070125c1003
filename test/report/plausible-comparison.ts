/**
 * A comparison as it could come out: figures of closed form where there is one, and the built-in world's own ways. A teacher that needs
 * its ten steps, a student that is straight, and one that was distilled to a single step.
 */

import {
  type ClosedLoopRow,
  COMPARISON_FORMAT,
  type Comparison,
  type FlowShape,
  type OfflineRow,
  type Verdict,
} from "../../src/compare/comparison.js";
import { AVOIDING_MODES, demonstrate, modeEntropy } from "../../src/env/index.js";
import { SeededRandom } from "../../src/env/seeded-random.js";
import { mcnemarTest, measureStraightness, type VelocityDeviation, wilsonInterval } from "../../src/eval/index.js";
import type { Episode, RolloutSummary } from "../../src/rollout/index.js";

type Point = readonly [number, number];

const STEPS = [1, 2, 5, 10] as const;
const NUM_EPISODES = 120;
const NUM_ROUTES = 14;

/** Two groups of actions in a plane, `CENTRE` and its mirror image, with a scatter of `SPREAD`. */
const CENTRE: Point = [1, 0.35];
const SPREAD = 0.16;

/** What each policy is like, in the order of the comparison. */
const CHARACTERS = {
  teacher: {
    round: 1,
    isDistilled: false,
    error: [0.31, 0.16, 0.07, 0.035],
    self: [0.31, 0.16, 0.07, 0.035],
    floor: 0,
    success: [0.28, 0.55, 0.84, 0.87],
    lost: 0,
  },
  "2-rf": {
    round: 2,
    isDistilled: false,
    error: [0.085, 0.06, 0.052, 0.05],
    self: [0.05, 0.024, 0.012, 0.008],
    floor: 0.048,
    success: [0.83, 0.85, 0.86, 0.86],
    lost: 0.15,
  },
  "one-step": {
    round: 3,
    isDistilled: true,
    error: [0.07, 0.19, 0.33, 0.41],
    self: [0.36, 0.3, 0.22, 0.12],
    floor: 0.068,
    success: [0.8, 0.66, 0.4, 0.31],
    lost: 0.6,
  },
} as const;

type Name = keyof typeof CHARACTERS;
const NAMES = Object.keys(CHARACTERS) as Name[];

const LATENCY_MS = [41, 52, 88, 148] as const;

/** @param seed of everything that is drawn */
export function plausibleComparison(seed = 7, numEpisodes = NUM_EPISODES): Comparison {
  const rows = NAMES.flatMap((name) =>
    STEPS.map((numSteps, i) => closedLoopRow(name, numSteps, i, { seed, numEpisodes })),
  );
  const reference = rows.find(({ policy, numSteps }) => policy === "teacher" && numSteps === 10)!;
  const closedLoop = {
    rows: rows.map((row) => (row === reference ? row : { ...row, against: againstOf(row, reference) })),
  };
  const margins = { success: 0.05, entropyShare: 0.05, betweenModes: 0.02 };
  const offline = NAMES.flatMap((name) => STEPS.map((numSteps, i) => offlineRow(name, numSteps, i)));
  return {
    format: COMPARISON_FORMAT,
    created: "2026-03-14T09:26:53.000Z",
    status: "complete",
    margins,
    settings: {
      numStepsList: STEPS,
      deployedSteps: 10,
      seed,
      device: "cpu",
      precision: "fp32",
      dataset: { root: "data/avoiding", episodes: [4, 21, 37, 58], numObservations: 64, numNoises: 32 },
      environment: { id: "avoiding-ts/1", numEpisodes, numActionSteps: 8 },
      versions: { reflow: "0.1.0", node: "20.20.2", torch: "2.13.0" },
    },
    policies: NAMES.map((name) => ({
      name,
      folder: `outputs/${name}/checkpoints/last/pretrained_model`,
      round: CHARACTERS[name].round,
      isDistilled: CHARACTERS[name].isDistilled,
      ...(name === "teacher" ? {} : { provenance: { format: 1, k: CHARACTERS[name].round, objective: "reflow" } }),
    })),
    offline: {
      rows: offline,
      flows: NAMES.map((name, i) => flowShape(name, seed + i, seed)),
      otherNoise: { relativeError: 0.52, noiseExplained: -0.98, spreadRatio: 1 },
    },
    closedLoop,
    verdicts: closedLoop.rows
      .filter(({ policy }) => policy !== "teacher")
      .flatMap((row) => verdictsOf(row, reference, margins.success)),
  };
}

function offlineRow(name: Name, numSteps: number, i: number): OfflineRow {
  const { error, self, lost, floor } = CHARACTERS[name];
  const relativeError = error[i]!;
  const noiseExplained = 1 - (relativeError / 0.37) ** 2 * (name === "teacher" ? 2.2 : 1);
  return {
    policy: name,
    numSteps,
    self: { relativeError: self[i], noiseExplained: 1 - (self[i]! / 0.37) ** 2, spreadRatio: 1 - self[i]! / 2 },
    teacher: { relativeError, noiseExplained, spreadRatio: 1 - lost * 0.2 - relativeError / 3 },
    noiseExplainedInterval: { value: noiseExplained, low: noiseExplained - 0.05 - floor, high: noiseExplained + 0.03 },
    executed: { relativeError: relativeError * 0.9, noiseExplained, spreadRatio: 1 },
    errorPerDimension: [relativeError * 0.01, relativeError * 0.012],
    modes: {
      betweenModes: 0.01 + relativeError * 0.2,
      referenceBetweenModes: 0.012,
      numMultimodal: 21,
      totalVariation: 0.02 + lost * 0.2,
      entropyDifference: -lost * 0.1,
    },
  };
}

/** `E[noise - actions | x]` of two groups, exactly: the velocity that flow matching learns. */
function exactVelocity([x, y]: Point, time: number): Point {
  const variance = ((1 - time) * SPREAD) ** 2 + time ** 2;
  const logRatio = (2 * (1 - time) * (x * CENTRE[0] + y * CENTRE[1])) / variance;
  const sign = Math.tanh(logRatio / 2);
  const gain = ((1 - time) * SPREAD ** 2) / variance;
  const actions = [x, y].map((value, axis) => {
    const mean = sign * CENTRE[axis]!;
    return mean + gain * (value - (1 - time) * mean);
  });
  return [(x - actions[0]!) / Math.max(time, 1e-3), (y - actions[1]!) / Math.max(time, 1e-3)];
}

const PATH_STEPS = 60;

/** Ways of the same noises: through the exact field for the teacher, nearly straight to the same ends for the others. */
function flowShape(name: Name, ownSeed: number, noiseSeed: number): FlowShape {
  const random = new SeededRandom(noiseSeed, "noises");
  const own = new SeededRandom(ownSeed, "deviations");
  const { floor, lost } = CHARACTERS[name];
  const times = Array.from({ length: PATH_STEPS + 1 }, (_, i) => 1 - i / PATH_STEPS);
  const points = Array.from({ length: 28 }, () => {
    const path = exactPath([random.normal(), random.normal()], times);
    const [noise, end] = [path[0]!, path.at(-1)!];
    if (name === "teacher") return path;
    const bend = (own.normal() * floor + lost * 0.05) * 1.5;
    const actions: Point = [end[0] + own.normal() * floor, end[1] + own.normal() * floor];
    return times.map((time): Point => {
      const aside = bend * time * (1 - time);
      return [time * noise[0] + (1 - time) * actions[0] + aside, time * noise[1] + (1 - time) * actions[1] - aside];
    });
  });
  const velocityDeviation = deviationsOf(points, times);
  const straightness = velocityDeviation.reduce((sum, { mean }) => sum + mean, 0) / velocityDeviation.length;
  const cost = mean(points.map((path) => squareBetween(path[0]!, path.at(-1)!)));
  return {
    ...measureStraightness([
      { deviation: straightness, cost, energy: straightness + cost, length: 1, angleDegrees: 4 },
    ]),
    policy: name,
    initialVelocityDelta: straightness * 1.4,
    velocityDeviation,
    paths: { times, points },
  };
}

function exactPath(noise: Point, times: readonly number[]): Point[] {
  const path: Point[] = [noise];
  for (const [i, time] of times.slice(0, -1).entries()) {
    const [x, y] = path.at(-1)!;
    const [u, v] = exactVelocity([x, y], time);
    const step = time - times[i + 1]!;
    path.push([x - step * u, y - step * v]);
  }
  return path;
}

function deviationsOf(points: readonly (readonly Point[])[], times: readonly number[]): VelocityDeviation[] {
  return times.slice(0, -1).map((time, i) => {
    const squares = points
      .map((path) => {
        const step = time - times[i + 1]!;
        const velocity: Point = [(path[i]![0] - path[i + 1]![0]) / step, (path[i]![1] - path[i + 1]![1]) / step];
        const whole: Point = [path[0]![0] - path.at(-1)![0], path[0]![1] - path.at(-1)![1]];
        return squareBetween(velocity, whole);
      })
      .sort((a, b) => a - b);
    return {
      time,
      mean: mean(squares),
      low: squares[Math.floor(squares.length * 0.1)]!,
      high: squares[Math.floor(squares.length * 0.9)]!,
    };
  });
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const squareBetween = (a: Point, b: Point): number => ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) / 2;

interface Draw {
  readonly seed: number;
  readonly numEpisodes: number;
}

/** Episodes of equal index succeed together more often than by chance, as equal starts and noises make them. */
function closedLoopRow(name: Name, numSteps: number, i: number, { seed, numEpisodes }: Draw): ClosedLoopRow {
  const { success, lost } = CHARACTERS[name];
  const shared = new SeededRandom(seed, "episodes");
  const own = new SeededRandom(seed, `${name} ${numSteps}`);
  const episodes = Array.from({ length: numEpisodes }, (_, index) => {
    const luck = 0.8 * shared.uniform() + 0.2 * own.uniform();
    const drawn = AVOIDING_MODES[shared.integer(AVOIDING_MODES.length)]!;
    const isOther = own.uniform() < lost;
    const mode = isOther ? AVOIDING_MODES[own.integer(6)]! : drawn;
    return { index, seed: 1000 + index, success: luck < success[i]!, length: 70 + own.integer(20), mode };
  });
  const median = LATENCY_MS[i]!;
  const statistics = (ms: number) => ({
    medianMs: ms,
    p95Ms: ms * 1.2,
    minMs: ms * 0.9,
    maxMs: ms * 1.6,
    numCalls: 200,
  });
  return {
    policy: name,
    numSteps,
    status: "complete",
    summary: summaryOf(episodes),
    latency: { total: statistics(median), parts: { prefix: statistics(31), expert: statistics(median - 31) } },
    seconds: numEpisodes * 0.8,
    episodes,
    routes: episodes.slice(0, NUM_ROUTES).map(routeOf),
    videos: [],
  };
}

type ShortEpisode = Pick<Episode, "index" | "seed" | "success" | "length" | "mode">;

function summaryOf(episodes: readonly ShortEpisode[]): RolloutSummary {
  const successes = episodes.filter(({ success }) => success);
  const counts = AVOIDING_MODES.map((mode) => successes.filter((episode) => episode.mode === mode).length);
  return {
    numEpisodes: episodes.length,
    numSuccesses: successes.length,
    success: wilsonInterval(successes.length, episodes.length),
    meanSumReward: successes.length / episodes.length,
    meanMaxReward: successes.length / episodes.length,
    meanLength: mean(episodes.map(({ length }) => length)),
    modes: Object.fromEntries(AVOIDING_MODES.map((mode, i) => [mode, counts[i]!])),
    numUndecidedModes: 0,
    entropy: modeEntropy(counts),
    roughness: 0.4,
    boundaryJump: 1.2,
  };
}

/** A scripted way; of a failed episode as far as an obstacle could end it. */
function routeOf({ seed, mode, success }: ShortEpisode): ClosedLoopRow["routes"][number] {
  const { observations } = demonstrate({ seed, mode });
  const all = observations.map(({ state }): Point => [state.data[2] as number, state.data[3] as number]);
  return { success, points: success ? all : all.slice(0, 20 + (seed % 37)) };
}

function againstOf(row: ClosedLoopRow, reference: ClosedLoopRow): NonNullable<ClosedLoopRow["against"]> {
  const [first, second] = [reference, row].map(({ episodes }) => episodes.map(({ success }) => success)) as [
    boolean[],
    boolean[],
  ];
  const test = mcnemarTest(first, second);
  const difference = test.difference!;
  const error = Math.sqrt((test.onlyFirst + test.onlySecond) / first.length ** 2);
  return {
    ...test,
    differenceInterval: { value: difference, low: difference - 1.96 * error, high: difference + 1.96 * error },
    entropyShare: (row.summary.entropy?.entropy ?? 0) / (reference.summary.entropy?.entropy ?? 1),
    modeDistance: { totalVariation: 0.12 + CHARACTERS[row.policy as Name].lost * 0.4, byChance: 0.14 },
    sameMode: 1 - CHARACTERS[row.policy as Name].lost,
  };
}

function verdictsOf(
  { policy, numSteps, summary, against }: ClosedLoopRow,
  reference: ClosedLoopRow,
  margin: number,
): Verdict[] {
  const [value, bound] = [summary.success!.value, reference.summary.success!.value - margin];
  return [
    {
      ...{ policy, numSteps, measure: "success" as const, value, bound, isMet: value >= bound },
      isCertain: against!.differenceInterval!.low >= -margin,
    },
  ];
}
