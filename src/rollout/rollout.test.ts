import { describe, expect, it } from "vitest";
import { type Demonstration, demonstrate, makeEnvironment } from "../env/index.js";
import type { ProcessorPipelines } from "../policy/processors/pipeline.js";
import type { PredictOptions } from "../policy/smolvla-policy.js";
import { parseSmolVLAConfig, type SmolVLAConfig } from "../smolvla/config.js";
import { ConfigError } from "../support/errors.js";
import { hostArray } from "../support/host-array.js";
import { type Episode, type RolledOutPolicy, type RolloutRequest, rollOut } from "./rollout.js";
import { summarizeEpisodes } from "./summarize.js";

const features = (state: number, action: number, camera: string) => ({
  input_features: {
    "observation.state": { type: "STATE", shape: [state] },
    [camera]: { type: "VISUAL", shape: [3, 96, 96] },
  },
  output_features: { action: { type: "ACTION", shape: [action] } },
});

const configOf = (changes: object = {}): SmolVLAConfig =>
  parseSmolVLAConfig(
    { type: "smolvla", chunk_size: 10, n_action_steps: 6, ...features(4, 2, "observation.images.top"), ...changes },
    "test",
  );

/** A policy that goes on along a demonstration from wherever it is. */
function follower(
  demonstration: Demonstration,
  config = configOf(),
): RolledOutPolicy & { readonly calls: PredictOptions[] } {
  const calls: PredictOptions[] = [];
  const path = demonstration.observations.map(({ state }) => state.data as Float32Array);
  return {
    config,
    calls,
    predict: ({ arrays, tasks }, options = {}) => {
      calls.push(options);
      const states = arrays["observation.state"]!.data as Float32Array;
      const data = new Float32Array(tasks.length * config.chunkSize * 2);
      for (let row = 0; row < tasks.length; row++) {
        const [x, y] = [states[4 * row]!, states[4 * row + 1]!];
        const distances = path.map((state) => Math.hypot(state[0]! - x, state[1]! - y));
        const nearest = distances.indexOf(Math.min(...distances));
        for (let step = 0; step < config.chunkSize; step++) {
          data.set(demonstration.actions[nearest + step] ?? [0, 0.009], (row * config.chunkSize + step) * 2);
        }
      }
      const chunk = hostArray("float32", [tasks.length, config.chunkSize, 2], data);
      return { chunk, robotChunk: chunk };
    },
  };
}

async function episodesOf(changes: Partial<RolloutRequest> & Pick<RolloutRequest, "policy">): Promise<Episode[]> {
  const episodes: Episode[] = [];
  const request = { makeEnvironment: () => makeEnvironment("avoiding"), numEpisodes: 3, batchSize: 2, seed: 5 };
  for await (const episode of rollOut({ ...request, ...changes })) episodes.push(episode);
  return episodes;
}

describe("rollOut", () => {
  it("lets a policy that follows demonstrations succeed in each one's own way", async () => {
    for (const seed of [1, 2, 3, 4]) {
      const demonstration = demonstrate({ seed });
      const episodes = await episodesOf({ policy: follower(demonstration) });
      expect(episodes.map(({ index, seed: own, success, mode }) => [index, own, success, mode])).toEqual(
        [0, 1, 2].map((i) => [i, 5 + i, true, demonstration.mode]),
      );
      for (const { length, actions, states, chunkStarts } of episodes) {
        expect([actions.length, states.length]).toEqual([length, length + 1]);
        expect(chunkStarts).toEqual(Array.from({ length: Math.ceil(length / 6) }, (_, i) => 6 * i));
      }
    }
  });

  it("gives every episode the same noise whatever the batch size, another for each chunk and episode, and its own steps", async () => {
    const noisesOf = async (batchSize: number): Promise<Set<string>> => {
      const policy = follower(demonstrate({ seed: 1 }));
      await episodesOf({ policy, batchSize, numSteps: 3 });
      expect(policy.calls.every(({ numSteps }) => numSteps === 3)).toBe(true);
      const rows = policy.calls.flatMap(({ noise }) => {
        const [B, A, M] = noise!.shape as [number, number, number];
        expect([A, M]).toEqual([10, 32]);
        const all = noise!.data as Float32Array;
        return Array.from({ length: B }, (_, row) => all.slice(row * A * M, (row + 1) * A * M).join());
      });
      expect(new Set(rows).size).toBe(rows.length);
      return new Set(rows);
    };
    expect(await noisesOf(3)).toEqual(await noisesOf(1));
  });

  it("fills the place of an episode that has ended, and gives episodes in order however long they are", async () => {
    const policy = follower(demonstrate({ seed: 1 }));
    const limits = [30, 6];
    const episodes = await episodesOf({
      policy,
      makeEnvironment: () => makeEnvironment("avoiding", { maxSteps: limits.shift() }),
      numEpisodes: 6,
      batchSize: 2,
    });
    expect(episodes.map(({ index, seed }) => [index, seed])).toEqual([0, 1, 2, 3, 4, 5].map((i) => [i, 5 + i]));
    expect(episodes.map(({ length }) => length).sort()).toEqual([30, 6, 6, 6, 6, 6]);
    expect(policy.calls.map(({ noise }) => noise!.shape[0])).toEqual([2, 2, 2, 2, 2]);
  });

  it("says how far it is, in steps of episodes as long as those that have ended", async () => {
    const shares: (number | undefined)[] = [];
    const limits = [12, 24];
    await episodesOf({
      policy: follower(demonstrate({ seed: 1 })),
      makeEnvironment: () => makeEnvironment("avoiding", { maxSteps: limits.shift() }),
      ...{ numEpisodes: 4, batchSize: 2, onRound: (share: number | undefined) => void shares.push(share) },
    });
    // Six steps of each of two episodes a round. One of 12 steps has ended after two; one more and one of 24 after four.
    expect(shares).toEqual([undefined, 24 / (4 * 12), 36 / (4 * 12), 48 / (4 * 16), 54 / (4 * 16), 1]);
    shares.length = 0;
    limits.push(30, 6);
    await episodesOf({
      policy: follower(demonstrate({ seed: 1 })),
      makeEnvironment: () => makeEnvironment("avoiding", { maxSteps: limits.shift() }),
      ...{ numEpisodes: 6, batchSize: 2, onRound: (share: number | undefined) => void shares.push(share) },
    });
    // The long one ends last: more steps than expected are no end.
    expect(shares).toEqual([12 / (6 * 6), 24 / (6 * 6), 0.99, 0.99, 1]);
  });

  it("lets the episodes that are running end when it is asked to stop, and begins no more", async () => {
    const stop = new AbortController();
    const policy = follower(demonstrate({ seed: 1 }));
    const request = {
      policy,
      makeEnvironment: () => makeEnvironment("avoiding"),
      numEpisodes: 6,
      batchSize: 2,
      seed: 0,
    };
    const stopping: RolledOutPolicy = {
      config: policy.config,
      predict: (...given) => {
        stop.abort();
        return policy.predict(...given);
      },
    };
    const episodes: Episode[] = [];
    for await (const episode of rollOut({ ...request, policy: stopping, signal: stop.signal })) episodes.push(episode);
    expect(episodes.map(({ index, success }) => [index, success])).toEqual([
      [0, true],
      [1, true],
    ]);
  });

  it.each([
    [{ ...features(3, 2, "observation.images.top") }, "observation.state: the policy has 3 entries, the world 4"],
    [{ ...features(4, 7, "observation.images.top") }, "action: the policy has 7 entries, the world 2"],
    [
      { ...features(4, 2, "observation.images.wrist") },
      "cameras: the policy looks at observation.images.wrist, the world has observation.images.top",
    ],
  ])("refuses a policy whose features are not the world's: %#", async (changes, message) => {
    const failed = episodesOf({ policy: follower(demonstrate({ seed: 1 }), configOf(changes)) });
    await expect(failed).rejects.toThrow(ConfigError);
    await expect(failed).rejects.toThrow(message);
  });

  it("knows a camera by the name that the policy's own processors give it", async () => {
    const name = "observation.images.camera1";
    const policy = follower(demonstrate({ seed: 1 }), configOf(features(4, 2, name)));
    await expect(episodesOf({ policy })).rejects.toThrow(`cameras: the policy looks at ${name}`);
    const rename = { kind: "rename_observations_processor", renameMap: { "observation.images.top": name } } as const;
    const processors: ProcessorPipelines = {
      preprocessor: { name: "policy_preprocessor", steps: [rename] },
      postprocessor: { name: "policy_postprocessor", steps: [] },
    };
    const episodes = await episodesOf({ policy: { ...policy, processors } });
    expect(episodes.map(({ success }) => success)).toEqual([true, true, true]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "says in which episode a policy gives %d as an action",
    async (odd) => {
      const policy = follower(demonstrate({ seed: 1 }));
      const failed = episodesOf({
        policy: {
          config: policy.config,
          predict: (...given) => {
            const { chunk, robotChunk } = policy.predict(...given);
            if (policy.calls.length > 1) robotChunk.data[2 * 10 + 3] = odd;
            return { chunk, robotChunk };
          },
        },
      });
      await expect(failed).rejects.toThrow(ConfigError);
      await expect(failed).rejects.toThrow(
        new RegExp(
          String.raw`^rollout: expected finite actions of the policy, got \[-?[\d.]+, ${odd}\] as action 7 of the episode of seed 6\. reflow`,
        ),
      );
    },
  );

  it.each([
    [{ numEpisodes: 0 }, "eval at numEpisodes: expected a whole number of at least 1, got 0"],
    [{ batchSize: 1.5 }, "eval at batchSize: expected a whole number of at least 1, got 1.5"],
    [{ numSteps: 0 }, "eval at numSteps: expected a whole number of at least 1, got 0"],
    [{ numActionSteps: 11 }, "eval at numActionSteps: expected at most 10, the actions of the policy's chunk, got 11"],
    [
      { seed: -1 },
      "eval at seed: expected a whole number of at least 0 that leaves room for 3 seeds below 2^53, got -1",
    ],
    [{ seed: Number.MAX_SAFE_INTEGER - 1 }, "leaves room for 3 seeds below 2^53, got 9007199254740990"],
  ])("refuses %j", async (changes, message) => {
    const failed = episodesOf({ policy: follower(demonstrate({ seed: 1 })), ...changes });
    await expect(failed).rejects.toThrow(ConfigError);
    await expect(failed).rejects.toThrow(message);
  });
});

describe("summarizeEpisodes", () => {
  it("counts successes and ways, and says that a variety without a success is undefined", async () => {
    const { modes } = makeEnvironment("avoiding");
    const demonstration = demonstrate({ seed: 9 });
    const episodes = await episodesOf({ policy: follower(demonstration) });
    const summary = summarizeEpisodes(episodes, modes);
    expect(summary).toMatchObject({ numEpisodes: 3, numSuccesses: 3, success: { value: 1 }, meanMaxReward: 1 });
    expect(summary.modes[demonstration.mode]).toBe(3);
    expect(summary.entropy?.entropy).toBe(0);
    const failed = summarizeEpisodes(
      episodes.map((episode) => ({ ...episode, success: false })),
      modes,
    );
    expect(failed.entropy?.entropy).toBeUndefined();
    expect(summarizeEpisodes([], modes)).toMatchObject({ numEpisodes: 0, success: undefined, meanLength: undefined });
  });

  it("measures an even pace as smooth, and a zigzag as rough", () => {
    const episodeOf = (actions: readonly number[][]): Episode => ({
      ...{ index: 0, seed: 0, success: true, sumReward: 1, maxReward: 1, mode: "", states: [] },
      length: actions.length,
      actions: actions.map((action) => Float32Array.from(action)),
      chunkStarts: [0, 5],
    });
    const ramp = Array.from({ length: 10 }, (_, i) => [0.01 * i, 0]);
    const zigzag = Array.from({ length: 10 }, (_, i) => [i % 2, 0]);
    expect(summarizeEpisodes([episodeOf(ramp)], []).roughness).toBeCloseTo(0, 6);
    expect(summarizeEpisodes([episodeOf(ramp)], []).boundaryJump).toBeCloseTo(1, 6);
    // Third differences of 0, 1, 0, 1 have size 4, first ones size 1.
    expect(summarizeEpisodes([episodeOf(zigzag)], []).roughness).toBeCloseTo(4, 6);
  });
});
