import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../support/errors.js";
import { Generator, tensor, toDtype } from "../../torch/index.js";
import type { TrainingBatch } from "../objectives/objective.js";
import type { Coupling, Pairs } from "./coupling.js";
import { withCheckedPairs } from "./with-checked-pairs.js";

const BATCH = {} as TrainingBatch;
const FULL = [0.3, 0, 0.1, -1, 2, 0];

/** Pairs of one sample with two steps and three dimensions. */
const couplingOf = (noise: readonly number[], changes: () => Partial<Pairs> = () => ({})): Coupling => ({
  numNoises: 1,
  couple: () => ({ noise: tensor(noise, [1, 2, 3]), actions: tensor([0, 0, 0, 0, 0, 0], [1, 2, 3]), ...changes() }),
  dispose: () => {},
});

function couple(coupling: Coupling): Pairs {
  using generator = new Generator(0);
  return withCheckedPairs(coupling).couple(BATCH, undefined, generator);
}

describe("before anything is learnt from them, pairs are refused", () => {
  it.each<[string, Coupling, string]>([
    [
      "whose noise leaves dimensions out, which are named",
      couplingOf([0.3, 0, 0, -1, 0, 0]),
      "step-0 gate: expected noise in all 3 action dimensions, got zeros alone in 2 of them (1, 2). A policy is deployed",
    ],
    [
      "whose actions are their noise",
      couplingOf(FULL, () => ({ actions: tensor(FULL, [1, 2, 3]) })),
      "step-0 gate: expected actions that a solver made of their noise, got the noise itself: ",
    ],
    [
      "that have a padding mask, even an empty one",
      couplingOf(FULL, () => ({ isPad: toDtype(tensor([0, 0], [1, 2]), "bool") })),
      "step-0 gate: expected generated chunks without a padding mask, got one. ",
    ],
    [
      "in another type than float32",
      couplingOf(FULL, () => ({ actions: toDtype(tensor(FULL, [1, 2, 3]), "bfloat16") })),
      "step-0 gate: expected actions of pairs in float32, got bfloat16. ",
    ],
  ])("%s", (_, coupling, message) => {
    expect(() => couple(coupling)).toThrow(CheckpointError);
    expect(() => couple(coupling)).toThrow(message);
  });
});

it("lets pairs pass as they are", () => {
  expect(couple(couplingOf(FULL)).noise.toNumbers()).toEqual(tensor(FULL).toNumbers());
});
