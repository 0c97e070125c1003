import { ConfigError } from "../../support/errors.js";
import type { Observation } from "../environment.js";
import { expectInteger } from "../expect-integer.js";
import { SeededRandom } from "../seeded-random.js";
import { Avoiding } from "./avoiding.js";
import { type AvoidingOptions, avoidingSettings } from "./avoiding-options.js";
import { demonstrationPath } from "./demonstration-path.js";
import { AVOIDING_MODES } from "./mode-recorder.js";
import { FINISH, type Point } from "./scene.js";

export interface DemonstrationRequest {
  /** decides the way, its deviations and, with `startNoise`, the start; a whole number of at least 0 */
  readonly seed: number;
  /** one of `AVOIDING_MODES`; drawn uniformly from the seed if left out */
  readonly mode?: string;
  /** of the world in which it is carried out */
  readonly options?: AvoidingOptions;
}

/** A successful episode of T steps; carrying out its actions after `reset(seed)` gives it again. */
export interface Demonstration {
  /** T observations, each before its action */
  readonly observations: readonly Observation[];
  /** T differences of commanded positions, 2 entries each, rounded to float32 as a dataset stores them */
  readonly actions: readonly Float32Array[];
  readonly mode: string;
}

/** Usual length of a step in metres, and how many steps a way may take: longer ways are walked faster. */
const PACE = { step: 0.009, minSteps: 70, maxSteps: 83 } as const;

/** Nearly every attempt succeeds. */
const MAX_ATTEMPTS = 200;

/**
 * A scripted episode that succeeds in a wanted way: a smooth path is drawn at random and walked by the rod at even pace; paths
 * on which it touches an obstacle, or passes elsewhere than wanted, are thrown away and drawn anew. The mode is drawn before, so
 * this leaves modes uniform. A rod that follows slowly is sent ahead by as much as it lags, so it does not cut corners.
 *
 * @throws ConfigError for an unknown mode or seed, or if no attempt succeeds, as with few steps to do it in
 */
export function demonstrate({ seed, mode, options = {} }: DemonstrationRequest): Demonstration {
  expectInteger("env avoiding", "seed", seed, 0, Number.MAX_SAFE_INTEGER);
  if (mode !== undefined && !AVOIDING_MODES.includes(mode)) {
    throw new ConfigError("env avoiding", `expected mode to be one of ${AVOIDING_MODES.join(", ")}, got "${mode}"`);
  }
  const wanted = mode ?? AVOIDING_MODES[new SeededRandom(seed, "avoiding mode").integer(AVOIDING_MODES.length)]!;
  const environment = new Avoiding(options);
  const { tracking } = avoidingSettings(options);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const random = new SeededRandom(seed, "avoiding path", attempt);
    const demonstration = walk(environment, { seed, mode: wanted, tracking }, random);
    if (demonstration !== undefined) return demonstration;
  }
  throw new ConfigError(
    "env avoiding",
    `expected a demonstration of mode ${wanted} within ${MAX_ATTEMPTS} attempts, got none. A larger maxSteps makes it easier`,
  );
}

/** One attempt; undefined if it does not succeed in the wanted way. */
function walk(
  environment: Avoiding,
  { seed, mode, tracking }: { readonly seed: number; readonly mode: string; readonly tracking: number },
  random: SeededRandom,
): Demonstration | undefined {
  const observations: Observation[] = [];
  const actions: Float32Array[] = [];
  let observation = environment.reset(seed);
  let [x, y] = environment.commanded;
  const targets = evenSteps(demonstrationPath(mode, [x, y], random));
  const lead = 1 / tracking - 1;
  for (let i = 0; ; i++) {
    const [targetX, targetY] = targets[Math.min(i, targets.length - 1)]!;
    // Each action leads from where the rounded ones before it have led, so roundings do not add up.
    const [rodX, rodY] = environment.measured;
    const action = Float32Array.of(targetX + lead * (targetX - rodX) - x, targetY + lead * (targetY - rodY) - y);
    observations.push(observation);
    actions.push(action);
    const result = environment.step(action);
    [x, y] = environment.commanded;
    if (result.success && environment.mode === mode) return { observations, actions, mode };
    if (result.terminated || result.truncated) return undefined;
    observation = result.observation;
  }
}

/** Points of a path at even distances along it, without its start. */
function evenSteps(path: readonly Point[]): Point[] {
  const lengths = [0];
  for (let i = 1; i < path.length; i++) {
    const [[fromX, fromY], [toX, toY]] = [path[i - 1]!, path[i]!];
    lengths.push(lengths[i - 1]! + Math.hypot(toX - fromX, toY - fromY));
  }
  const toFinish = lengths[path.findIndex(([, y]) => y > FINISH.y)]!;
  const numSteps = Math.min(PACE.maxSteps, Math.max(PACE.minSteps, toFinish / PACE.step));
  const step = toFinish / numSteps;
  const total = lengths.at(-1)!;
  const targets: Point[] = [];
  for (let distance = step, i = 1; distance <= total; distance += step) {
    while (lengths[i]! < distance) i++;
    const share = (distance - lengths[i - 1]!) / (lengths[i]! - lengths[i - 1]!);
    const [[fromX, fromY], [toX, toY]] = [path[i - 1]!, path[i]!];
    targets.push([fromX + share * (toX - fromX), fromY + share * (toY - fromY)]);
  }
  return targets;
}
