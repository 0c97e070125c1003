/** A policy in closed loop with a world. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { collate } from "../data/index.js";
import type { Environment, Observation } from "../env/index.js";
import { sampleNoise } from "../flow/index.js";
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
export type RolledOutPolicy = Pick<SmolVLAPolicy, "config" | "predict">;

export interface RolloutRequest {
  readonly policy: RolledOutPolicy;
  /** makes one world; each episode of a batch has its own */
  readonly makeEnvironment: () => Environment;
  readonly numEpisodes: number;
  /** episodes side by side: one prediction serves them all */
  readonly batchSize: number;
  /** of the first episode; episode i has `seed + i` */
  readonly seed: number;
  /** Euler steps; the policy's own if left out */
  readonly numSteps?: number | undefined;
  /** actions of a chunk that are carried out before the next is predicted; the policy's own if left out */
  readonly numActionSteps?: number | undefined;
  readonly signal?: AbortSignal | undefined;
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
 * Runs episodes in batches and gives each as soon as its batch has ended. An episode depends on its seed alone: its noise is
 * drawn from it for each chunk, so neither the batch size nor the other episodes matter (up to the rounding of batched
 * arithmetic).
 *
 * A signal ends it after the batch that is running.
 *
 * @throws ConfigError for numbers that make no sense, or a policy whose features are not the world's
 */
export async function* rollOut(request: RolloutRequest): AsyncGenerator<Episode, void, undefined> {
  const { policy, numEpisodes, batchSize, signal } = request;
  for (const [name, value] of Object.entries({ numEpisodes, batchSize })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ConfigError("eval", [{ path: name, message: `expected a whole number of at least 1, got ${value}` }]);
    }
  }
  const worlds = Array.from({ length: Math.min(batchSize, numEpisodes) }, () => request.makeEnvironment());
  expectFit(policy.config, worlds[0]!);
  const numActionSteps = Math.min(request.numActionSteps ?? policy.config.nActionSteps, policy.config.chunkSize);
  for (let first = 0; first < numEpisodes; first += worlds.length) {
    if (signal?.aborted) return;
    const batch = worlds
      .slice(0, numEpisodes - first)
      .map((world, i) => begin(world, first + i, request.seed + first + i));
    for (let chunk = 0; batch.some(({ isOver }) => !isOver); chunk++) {
      const going = batch.filter(({ isOver }) => !isOver);
      const actions = predict(policy, going, chunk, request.numSteps);
      for (const [i, episode] of going.entries()) carryOut(episode, actions, i, numActionSteps);
      await nextTurn(); // signals arrive here
    }
    for (const episode of batch) yield finish(episode);
  }
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
function predict(
  policy: RolledOutPolicy,
  going: readonly Running[],
  chunk: number,
  numSteps: number | undefined,
): HostArray {
  const { arrays, tasks } = collate(
    going.map(({ observation, world }) => ({ arrays: observation.arrays, task: world.task })),
  );
  const noise = noiseOf(
    policy,
    going.map(({ seed }) => deriveSeed(seed, "noise of chunk", chunk)),
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
