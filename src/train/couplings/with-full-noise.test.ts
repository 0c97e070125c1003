import { expect, it } from "vitest";
import { CheckpointError } from "../../support/errors.js";
import { Generator, tensor } from "../../torch/index.js";
import type { TrainingBatch } from "../objectives/objective.js";
import type { Coupling } from "./coupling.js";
import { withFullNoise } from "./with-full-noise.js";

const BATCH = {} as TrainingBatch;

/** Pairs of one sample with two steps and three dimensions. */
const couplingOf = (noise: readonly number[]): Coupling => ({
  numNoises: 1,
  couple: () => ({ noise: tensor(noise, [1, 2, 3]), actions: tensor([0, 0, 0, 0, 0, 0], [1, 2, 3]) }),
  dispose: () => {},
});

it("names the dimensions that have no noise at all, before anything is learnt from them", () => {
  using generator = new Generator(0);
  const narrow = withFullNoise(couplingOf([0.3, 0, 0, -1, 0, 0]));
  expect(() => narrow.couple(BATCH, undefined, generator)).toThrow(CheckpointError);
  expect(() => narrow.couple(BATCH, undefined, generator)).toThrow(
    "step-0 gate: expected noise in all 3 action dimensions, got zeros alone in 2 of them (1, 2). A policy is deployed",
  );
});

it("lets noise in every dimension pass, as it is", () => {
  using generator = new Generator(0);
  const full = withFullNoise(couplingOf([0.3, 0, 0.1, -1, 2, 0]));
  expect(full.couple(BATCH, undefined, generator).noise.toNumbers()).toEqual(
    tensor([0.3, 0, 0.1, -1, 2, 0]).toNumbers(),
  );
});
