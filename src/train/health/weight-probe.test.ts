import { describe, expect, it } from "vitest";
import {
  add_,
  full,
  mulScalar_,
  numLiveTensors,
  ones,
  reshape,
  scope,
  type Tensor,
  tensor,
  zeros,
} from "../../torch/index.js";
import { WeightProbe } from "./weight-probe.js";

/** Runs a test's tensors in a scope, so that it leaves none. */
const scoped = (test: () => void) => (): void => {
  const before = numLiveTensors();
  scope(test);
  expect(numLiveTensors()).toBe(before);
};

function movementOf(
  weights: readonly Tensor[],
  update: () => void,
  firstMoments?: readonly Tensor[],
  numSampled?: number,
) {
  const probe = new WeightProbe({ weights, ...(firstMoments ? { firstMoments } : {}) }, numSampled);
  probe.remember();
  update();
  return probe.measure();
}

describe("a weight probe", () => {
  it(
    "measures an update against the weights of all tensors together",
    scoped(() => {
      const weights = [tensor([3, 0]), reshape(tensor([0, 4]), [2, 1])];
      const movement = movementOf(weights, () => void add_(weights[1]!, reshape(tensor([0.3, -0.4]), [2, 1])));
      expect(movement?.relativeUpdate).toBeCloseTo(0.1, 6);
      expect(movement?.shareUnmoved).toBe(0.5);
    }),
  );

  it(
    "sees updates that float32 rounds away",
    scoped(() => {
      const weights = [tensor([1, 1, 1, 1e-3])];
      const movement = movementOf(weights, () => void add_(weights[0]!, full([], 1e-9, "float32")));
      expect(movement?.shareUnmoved).toBe(0.75);
    }),
  );

  it(
    "leaves out weights that never had a gradient",
    scoped(() => {
      const weights = [tensor([1, 1]), tensor([1, 1])];
      const moments = [tensor([0.1, -0.1]), zeros([2])];
      const movement = movementOf(weights, () => void mulScalar_(weights[0]!, 1.5), moments);
      expect(movement?.shareUnmoved).toBe(0);
      expect(movementOf(weights, () => {}, [zeros([2]), zeros([2])])?.shareUnmoved).toBe(0);
    }),
  );

  it(
    "measures large tensors on a sample, small ones with them",
    scoped(() => {
      const weights = [ones([1000, 100]), ones([1])];
      const movement = movementOf(weights, () => void weights.map((x) => mulScalar_(x, 1.01)), undefined, 100);
      expect(movement?.relativeUpdate).toBeCloseTo(0.01, 5);
    }),
  );

  it(
    "measures once for each time it remembers, and nothing where nothing is trained",
    scoped(() => {
      const probe = new WeightProbe({ weights: [tensor([1])] });
      expect(probe.measure()).toBeUndefined();
      probe.remember();
      expect(probe.measure()).toEqual({ relativeUpdate: 0, shareUnmoved: 1 });
      expect(probe.measure()).toBeUndefined();
      expect(movementOf([], () => {})).toBeUndefined();
    }),
  );
});
