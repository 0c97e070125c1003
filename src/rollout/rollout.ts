/** A policy in closed loop with a world. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { collate } from "../data/index.js";
import type { Environment, Observation } from "../env/index.js";
import { sampleNoise } from "../flow/index.js";
import { observationRenames } from "../policy/processors/pipeline.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { deriveSeed } from "../support/derive-seed.js";
import { ConfigError } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import { cat, Generator, scope } from "../torch/index.js";
import { expectFit } from "./expect-fit.js";

/** One episode, from reset to its end. */
export interface Episode {
  /** from 0 over the whole evaluation */
  readonly index: number;
  /** of the world's reset; noise follows from it too */
  readonly seed: number;
  readonly success: boolean;
  readonly sumReward: number;
  readonly maxReward: number;
  /** steps taken */
  readonly length: number;
  /** the way in which the task was done, as far as it was decided; empty for a world that tells none apart */
  readonly mode: string;
  /** states `[S]`, one more than steps */
  readonly states: readonly Float32Array[];
  /** actions `[M]` in the robot's units, one per step */
  readonly actions: readonly Float32Array[];
  /** steps at which a new chunk began */
  readonly chunkStarts: readonly number[];
}

/** What a policy needs to have to be rolled out. */
export type RolledOutPolicy = Pick<SmolVLAPolicy, "config" | "predict"> & Partial<Pick<SmolVLAPolicy, "processors">>;

export interface RolloutRequest {
  readonly policy: RolledOutPolicy;
  /** makes one world; each episode of a batch has its own */
  readonly makeEnvironment: () => Environment;
  readonly numEpisodes: number;
  /** episodes side by side: one prediction serves them all, and one that ends makes room for the next */
  readonly batchSize: number;
  /** of the first episode; episode i has `seed + i` */
  readonly seed: number;
  /** Euler steps; the policy's own if left out */
  readonly numSteps?: number | undefined;
  /** actions of a chunk that are carried out before the next is predicted; the policy's own if left out */
  readonly numActionSteps?: number | undefined;
  /** every `of`-th episode from `index` on; all if left out */
  readonly part?: { readonly index: number; readonly of: number } | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * called after each round of predictions, and the episodes that it ended, with the share of all steps that was taken, from 0 to 1, if other episodes are as
   * long as those that have ended; undefined before the first has, and 1 only after the last
   */
  readonly onRound?: ((share: number | undefined) => void) | undefined;
}

/** A running episode. */
interface Running {
  readonly index: number;
  readonly seed: number;
  readonly world: Environment;
  observation: Observation;
  readonly states: Float32Array[];
  readonly actions: Float32Array[];
  readonly chunkStarts: number[];
  rewards: number[];
  success: boolean;
  isOver: boolean;
}

/**
 * Runs episodes side by side and gives them in order, each as soon as it and those before it have ended; what was given at any
 * time is therefore no selection of short ones. An episode depends on its seed alone: its noise is drawn from it for each chunk,
 * so neither the batch size nor the other episodes matter (up to the rounding of batched arithmetic).
 *
 * A signal lets those that are running end, and begins no more.
 *
 * @throws ConfigError for numbers that make no sense, or a policy whose features are not the world's
 */
export async function* rollOut(request: RolloutRequest): AsyncGenerator<Episode, void, undefined> {
  const { policy, numEpisodes, batchSize, seed, part = { index: 0, of: 1 }, signal } = request;
  const numActionSteps = checkRequest(request);
  const numOwn = Math.ceil((numEpisodes - part.index) / part.of);
  const free = Array.from({ length: Math.min(batchSize, numOwn) }, () => request.makeEnvironment());
  if (free.length === 0) return;
  expectFit(policy.config, free[0]!, policy.processors && observationRenames(policy.processors.preprocessor));
  const ended = new Map<number, Episode>();
  let going: Running[] = [];
  const ends = { numEpisodes: 0, numSteps: 0 };
  for (let [next, given] = [part.index, part.index]; ; ) {
    while (free.length > 0 && next < numEpisodes && !signal?.aborted) {
      going.push(begin(free.pop()!, next, seed + next));
      next += part.of;
    }
    if (going.length === 0) return;
    const chunks = predict(policy, going, request.numSteps);
    for (const [row, episode] of going.entries()) {
      carryOut(episode, chunks, row, numActionSteps);
      if (!episode.isOver) continue;
      ended.set(episode.index, finish(episode));
      ends.numEpisodes += 1;
      ends.numSteps += episode.actions.length;
      free.push(episode.world);
    }
    going = going.filter(({ isOver }) => !isOver);
    await nextTurn(); // signals arrive here
    for (let episode = ended.get(given); episode !== undefined; episode = ended.get(given)) {
      ended.delete(given);
      given += part.of;
      yield episode;
    }
    request.onRound?.(shareTaken(ends, going, numOwn));
  }
}

/** Of all steps that episodes will take, as far as those that have ended tell. */
function shareTaken(
  ends: { readonly numEpisodes: number; readonly numSteps: number },
  going: readonly Running[],
  numEpisodes: number,
): number | undefined {
  if (ends.numEpisodes === 0) return undefined;
  const taken = going.reduce((sum, { actions }) => sum + actions.length, ends.numSteps);
  if (ends.numEpisodes === numEpisodes) return 1;
  return Math.min(0.99, (taken * ends.numEpisodes) / (numEpisodes * ends.numSteps));
}

/** @returns actions of a chunk that are carried out */
function checkRequest(request: RolloutRequest): number {
  const { chunkSize, nActionSteps } = request.policy.config;
  const { numEpisodes, batchSize, numSteps, numActionSteps = Math.min(nActionSteps, chunkSize) } = request;
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;
  const problems = Object.entries({ numEpisodes, batchSize, numSteps, numActionSteps })
    .filter(([, value]) => value !== undefined && !isCount(value))
    .map(([path, value]) => ({ path, message: `expected a whole number of at least 1, got ${value}` }));
  if (numActionSteps > chunkSize) {
    problems.push({
      path: "numActionSteps",
      message: `expected at most ${chunkSize}, the actions of the policy's chunk, got ${numActionSteps}`,
    });
  }
  const isSeed = Number.isSafeInteger(request.seed) && request.seed >= 0;
  if (!isSeed || request.seed > Number.MAX_SAFE_INTEGER - (numEpisodes - 1)) {
    problems.push({
      path: "seed",
      message: `expected a whole number of at least 0 that leaves room for ${numEpisodes} seeds below 2^53, got ${request.seed}`,
    });
  }
  if (problems.length > 0) throw new ConfigError("eval", problems);
  return numActionSteps;
}

function begin(world: Environment, index: number, seed: number): Running {
  const observation = world.reset(seed);
  return {
    index,
    seed,
    world,
    observation,
    states: [stateOf(observation)],
    actions: [],
    chunkStarts: [],
    rewards: [],
    success: false,
    isOver: false,
  };
}

const stateOf = ({ state }: Observation): Float32Array => Float32Array.from(state.data as Float32Array);

/** Chunks for all episodes that go on, `[B, A, M]` in the robot's units. */
function predict(policy: RolledOutPolicy, going: readonly Running[], numSteps: number | undefined): HostArray {
  const { arrays, tasks } = collate(
    going.map(({ observation, world }) => ({ arrays: observation.arrays, task: world.task })),
  );
  const noise = noiseOf(
    policy,
    going.map(({ seed, chunkStarts }) => deriveSeed(seed, "noise of chunk", chunkStarts.length)),
  );
  return policy.predict({ arrays, tasks }, { noise, ...(numSteps === undefined ? {} : { numSteps }) }).robotChunk;
}

function noiseOf({ config }: RolledOutPolicy, seeds: readonly number[]): HostArray {
  return scope(() => {
    const rows = seeds.map((seed) => {
      using generator = new Generator(seed);
      return sampleNoise([1, config.chunkSize, config.maxActionDim], generator);
    });
    return cat(rows, 0).toHost();
  });
}

/** Lets an episode take the first actions of its chunk, until it is over. */
function carryOut(episode: Running, chunks: HostArray, row: number, numActionSteps: number): void {
  const [, A, M] = chunks.shape as [number, number, number];
  episode.chunkStarts.push(episode.actions.length);
  for (let step = 0; step < numActionSteps && !episode.isOver; step++) {
    const from = (row * A + step) * M;
    const action = (chunks.data as Float32Array).slice(from, from + M);
    if (!action.every(Number.isFinite)) {
      throw new ConfigError(
        "rollout",
        `expected finite actions of the policy, got [${action.join(", ")}] as action ${episode.actions.length} of the ` +
          `episode of seed ${episode.seed}. reflow doctor says what is wrong with a policy`,
      );
    }
    const { observation, reward, terminated, truncated, success } = episode.world.step(action);
    episode.actions.push(action);
    episode.rewards.push(reward);
    episode.observation = observation;
    episode.states.push(stateOf(observation));
    episode.success ||= success;
    episode.isOver = terminated || truncated;
  }
}

function finish({ index, seed, success, rewards, world, states, actions, chunkStarts }: Running): Episode {
  return {
    index,
    seed,
    success,
    sumReward: rewards.reduce((sum, reward) => sum + reward, 0),
    maxReward: rewards.reduce((largest, reward) => Math.max(largest, reward), Number.NEGATIVE_INFINITY),
    length: actions.length,
    mode: world.mode,
    states,
    actions,
    chunkStarts,
  };
}
