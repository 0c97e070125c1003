import { collate } from "../data/index.js";
import type { Environment } from "../env/index.js";
import { type Latency, measureLatency } from "../eval/index.js";
import { euler, sampleNoise, solve } from "../flow/index.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { Generator, noGrad, scope, synchronize, toDevice } from "../torch/index.js";

export interface LatencyOptions {
  /** Euler steps; the policy's own if left out */
  readonly numSteps?: number | undefined;
  readonly seed: number;
  /** calls that count */
  readonly numCalls: number;
}

/**
 * How long a policy takes for one chunk of one observation, from the raw observation on: `observation` (normalising,
 * tokenising, images), `prefix` (the vision-language model) and `expert` (all Euler steps).
 */
export function policyLatency(policy: SmolVLAPolicy, world: Environment, options: LatencyOptions): Latency {
  const { model, config, device } = policy;
  const { arrays } = world.reset(options.seed);
  const observation = collate([{ arrays, task: world.task }]);
  const numSteps = options.numSteps ?? config.numSteps;
  using generator = new Generator(options.seed);
  using drawn = sampleNoise([1, config.chunkSize, config.maxActionDim], generator);
  using noise = toDevice(drawn, device);
  return measureLatency({
    now: () => performance.now(),
    settle: () => synchronize(device),
    numCalls: options.numCalls,
    call: (lap) =>
      noGrad(() =>
        scope(() => {
          const input = policy.encode(observation);
          lap("observation");
          const prefix = model.encodePrefix(input);
          lap("prefix");
          solve(euler, (x, time) => model.velocity(prefix, x, time), noise, numSteps);
          lap("expert");
        }),
      ),
  });
}
