import { expect, it } from "vitest";
import { parseSmolVLAConfig } from "../../smolvla/config.js";
import { hostArray } from "../../support/host-array.js";
import { Generator, scope } from "../../torch/index.js";
import type { TrainingBatch } from "../objectives/objective.js";
import { demonstrations } from "./demonstrations.js";

const CONFIG = parseSmolVLAConfig(
  {
    type: "smolvla",
    chunk_size: 2,
    n_action_steps: 1,
    max_action_dim: 3,
    input_features: { "observation.state": { type: "STATE", shape: [2] } },
    output_features: { action: { type: "ACTION", shape: [2] } },
  },
  "test",
);

it("demonstrations give each chunk its own noises, in a row, over all padded dimensions", () => {
  const action = hostArray("float32", [2, 2, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  const batch = { arrays: { action } } as unknown as TrainingBatch;
  scope(() => {
    using generator = new Generator(3);
    const coupling = demonstrations(CONFIG, "cpu", 3);
    const { noise, actions } = coupling.couple(batch, undefined, generator);
    const [first, second] = [
      [1, 2, 0, 3, 4, 0],
      [5, 6, 0, 7, 8, 0],
    ] as const;
    expect(actions.shape).toEqual([6, 2, 3]);
    expect(actions.toNumbers()).toEqual([first, first, first, second, second, second].flat());
    expect(noise.shape).toEqual([6, 2, 3]);
    expect(new Set(noise.toNumbers()).size).toBe(36);
    expect(coupling.numNoises).toBe(3);
  });
});
