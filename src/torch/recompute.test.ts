import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  add,
  addScalar_,
  backward,
  disposeAll,
  empty,
  enableGrad,
  Generator,
  grad,
  inference,
  keep,
  linear,
  mul,
  noGrad,
  normal_,
  numLiveTensors,
  ones,
  recompute,
  scope,
  silu,
  square,
  sum,
  type Tensor,
} from "./index.js";

const NUM_LAYERS = 4;
const WIDTH = 6;

let before = 0;
let weights: Tensor[];
let x: Tensor;
/** Differentiable, and used by every layer, as a prefix is. */
let shared: Tensor;

beforeEach(() => {
  using generator = new Generator(3);
  const draw = (...shape: number[]): Tensor => {
    const leaf = normal_(empty(shape, "float64"), 0, 0.6, generator);
    leaf.requiresGrad = true;
    return leaf;
  };
  before = numLiveTensors();
  weights = Array.from({ length: NUM_LAYERS }, () => draw(WIDTH, WIDTH));
  x = draw(5, WIDTH);
  shared = draw(5, WIDTH);
});

/** No test keeps a tensor. */
afterEach(() => {
  disposeAll([weights, x, shared]);
  expect(numLiveTensors()).toBe(before);
});

const layer = (h: Tensor, s: Tensor, weight: Tensor): Tensor => add(h, mul(silu(linear(h, weight)), s));

/** A loss through all layers; `s` is made from a leaf, so that gradients go on behind an input. */
function loss(isRecomputed: boolean, calls: () => void = () => {}): Tensor {
  return scope(() => {
    const s = square(shared);
    let h = x;
    for (const weight of weights) {
      const body = (a: Tensor, b: Tensor): Tensor => {
        calls();
        return layer(a, b, weight);
      };
      const input = h;
      h = isRecomputed ? recompute(body, [input, s], [weight]) : scope(() => body(input, s));
    }
    return sum(square(h));
  });
}

const leaves = (): Tensor[] => [...weights, x, shared];
const numbersOf = (tensors: readonly (Tensor | undefined)[]): (number[] | undefined)[] =>
  tensors.map((t) => t?.toNumbers());

describe("recompute", () => {
  it("gives the value and the gradients of the plain computation, to the last bit", () =>
    scope(() => {
      expect(loss(true).item()).toBe(loss(false).item());
      const plain = numbersOf(grad(loss(false), leaves()));
      expect(numbersOf(grad(loss(true), leaves()))).toEqual(plain);
      expect(plain.flat().every((value) => value !== 0)).toBe(true);
    }));

  it("adds to the gradients of leaves in a backward pass, as often as it is asked while the graph is retained", () =>
    scope(() => {
      const plain = numbersOf(grad(loss(false), leaves()));
      const total = loss(true);
      backward(total, { retainGraph: true });
      expect(numbersOf(leaves().map((leaf) => leaf.grad))).toEqual(plain);
      backward(total);
      expect(numbersOf(leaves().map((leaf) => leaf.grad))).toEqual(plain.map((values) => values!.map((v) => 2 * v)));
      expect(() => backward(total)).toThrow(/^torch.backward: .*second time/);
    }));

  it("runs the body once forward and once backward", () =>
    scope(() => {
      const calls = vi.fn();
      const total = loss(true, calls);
      expect(calls).toHaveBeenCalledTimes(NUM_LAYERS);
      backward(total);
      expect(calls).toHaveBeenCalledTimes(2 * NUM_LAYERS);
    }));

  it("computes gradients of exactly what needs one", () =>
    scope(() => {
      shared.requiresGrad = false;
      weights[2]!.requiresGrad = false;
      const rest = leaves().filter((leaf) => leaf.requiresGrad);
      expect(rest).toHaveLength(NUM_LAYERS);
      const plain = numbersOf(grad(loss(false), rest));
      expect(numbersOf(grad(loss(true), rest))).toEqual(plain);
    }));

  it("can stand inside another", () =>
    scope(() => {
      const nested = recompute(
        (a) => recompute((b) => layer(b, shared, weights[0]!), [a], weights),
        [x],
        [...weights, shared],
      );
      const gradients = grad(sum(square(nested)), [x, weights[0]!]);
      const plain = grad(sum(square(layer(x, shared, weights[0]!))), [x, weights[0]!]);
      expect(numbersOf(gradients)).toEqual(numbersOf(plain));
    }));

  it("only calls the body where nothing is recorded", () =>
    scope(() => {
      const calls = vi.fn();
      const body = (a: Tensor): Tensor => {
        calls();
        return square(a);
      };
      const constant = ones([2]);
      expect(recompute(body, [constant], []).requiresGrad).toBe(false);
      expect(noGrad(() => recompute(body, [x], [])).requiresGrad).toBe(false);
      expect(inference(() => recompute(body, [x], [])).requiresGrad).toBe(false);
      expect(noGrad(() => enableGrad(() => recompute(body, [x], []))).requiresGrad).toBe(true);
      expect(calls).toHaveBeenCalledTimes(4);
    }));

  it("has no gradients for what the body does not use", () =>
    scope(() => {
      const partly = recompute((a) => square(a), [x, shared], [weights[0]!]);
      expect(numbersOf(grad(sum(partly), [shared, weights[0]!, x])).map((values) => values?.length)).toEqual([
        undefined,
        undefined,
        5 * WIDTH,
      ]);
      const chained = recompute(() => ones([1], "float64"), [recompute((a) => square(a), [x], [])], []);
      expect(grad(sum(chained), [x])).toEqual([undefined]);
    }));

  it("keeps alive one tensor, whatever happens inside", () =>
    scope(() => {
      const live = numLiveTensors();
      const result = recompute((a, s) => add(square(a), square(s)), [x, shared], []);
      expect(numLiveTensors()).toBe(live + 1);
      const [gradient] = grad(sum(result), [x]);
      expect(numLiveTensors()).toBe(live + 3); // the sum and the gradient
      expect(gradient!.shape).toEqual(x.shape);
    }));

  it("works when the inputs were disposed after the forward pass", () =>
    scope(() => {
      const plain = numbersOf(grad(loss(false), [shared]));
      const s = keep(square(shared));
      const h = weights.reduce((input, weight) => recompute((a, b) => layer(a, b, weight), [input, s], [weight]), x);
      s.dispose();
      expect(numbersOf(grad(sum(square(h)), [shared]))).toEqual(plain);
    }));

  it("passes on what the body throws, as it is, and recording and tensors are as before", () => {
    const failure = new Error("mine");
    let isBroken = false;
    scope(() => {
      const result = recompute(
        (a) => {
          if (isBroken) throw failure;
          return square(a);
        },
        [x],
        [],
      );
      isBroken = true;
      const live = numLiveTensors();
      expect(() => grad(sum(result), [x])).toThrow("torch.grad: mine");
      expect(numLiveTensors()).toBe(live + 1);
      isBroken = false;
      expect(square(x).requiresGrad).toBe(true);
      expect(grad(sum(square(x)), [x])[0]!.shape).toEqual(x.shape);
    });
    expect(() =>
      recompute(
        () => {
          throw failure;
        },
        [x],
        [],
      ),
    ).toThrow(failure);
  });

  it("says that an input was changed in the meantime", () =>
    scope(() => {
      const result = recompute((a) => square(a), [x], [weights[0]!]);
      noGrad(() => addScalar_(weights[0]!, 1));
      expect(() => grad(sum(result), [x])).toThrow(/modified by an inplace operation/);
    }));

  it("refuses second derivatives and bodies that return promises", () =>
    scope(() => {
      const result = sum(recompute((a) => square(a), [x], []));
      expect(() => grad(result, [x], { createGraph: true })).toThrow(
        "torch.grad: second derivatives cannot be taken through a recomputation",
      );
      const body = (async (a: Tensor) => a) as unknown as (a: Tensor) => Tensor;
      expect(() => recompute(body, [x], [])).toThrow("torch.scope: expected a synchronous function");
    }));
});
