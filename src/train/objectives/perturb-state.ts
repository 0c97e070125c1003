import { toStateVector } from "../../policy/model-input.js";
import type { SmolVLAConfig } from "../../smolvla/config.js";
import { deriveSeed } from "../../support/derive-seed.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { empty, Generator, normal_, scope } from "../../torch/index.js";
import type { TrainingBatch } from "./objective.js";

/**
 * Batches whose normalised states have noise added to them, in the robot's own dimensions. A teacher can be asked about any
 * state, so a student need not be confined to the few that were recorded: it sees the neighbourhood of each, labelled by the
 * teacher.
 *
 * The noise depends on the seed and the batch's number alone, so that a batch that comes again is the same observation.
 *
 * @param std standard deviation, in normalised units
 */
export function perturbStates(
  config: SmolVLAConfig,
  device: string,
  std: number,
  seed: number,
): (batch: TrainingBatch) => TrainingBatch {
  const name = "observation.state";
  return (batch) => {
    const state = batch.arrays[name]!;
    const arrays = { ...batch.arrays, [name]: perturbed(state, std, deriveSeed(seed, "state", batch.number)) };
    return { ...batch, arrays, input: { ...batch.input, state: toStateVector(arrays, config, device) } };
  };
}

function perturbed(state: HostArray, std: number, seed: number): HostArray {
  using generator = new Generator(seed);
  const noise = scope(() => normal_(empty(state.shape, "float32"), 0, std, generator).toNumbers());
  return hostArray(
    "float32",
    state.shape,
    Float32Array.from(state.data as Float32Array, (x, i) => x + noise[i]!),
  );
}
