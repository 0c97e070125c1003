import { interpolate, sampleNoise, sampleTime, type TimeLaw, velocityLoss, velocityTarget } from "../../flow/index.js";
import { toTargetActions } from "../../policy/model-input.js";
import type { SmolVLAConfig } from "../../smolvla/config.js";
import type { SmolVLA } from "../../smolvla/smolvla.js";
import { toDevice } from "../../torch/index.js";
import type { Objective } from "./objective.js";

/**
 * Conditional flow matching on demonstrations (1-RF): regress the velocity at a random time on the line between noise and
 * a demonstrated chunk to `noise - actions`.
 *
 * The mean is taken over all entries, padded dimensions (whose actions are 0) and steps beyond the episode's end
 * (whose actions repeat the last one) included, as LeRobot 0.4 does.
 *
 * Reference: Lipman et al. 2022, arXiv:2210.02747, eq. (23), for straight lines.
 */
export function flowMatching(model: SmolVLA, config: SmolVLAConfig, device: string, timeLaw: TimeLaw): Objective {
  return {
    name: "flow_matching",
    draw: (batchSize, generator) => ({
      noise: sampleNoise([batchSize, config.chunkSize, config.maxActionDim], generator),
      time: sampleTime(timeLaw, batchSize, generator),
    }),
    loss: ({ input, arrays }, draw) => {
      const [noise, time] = [toDevice(draw.noise, device), toDevice(draw.time, device)];
      const actions = toTargetActions(arrays, config, device);
      const prefix = model.encodePrefix(input);
      const predicted = model.velocity(prefix, interpolate(noise, actions, time), time);
      return velocityLoss(predicted, velocityTarget(noise, actions));
    },
  };
}
