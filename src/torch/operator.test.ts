import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TorchError } from "../support/errors.js";
import {
  add,
  add_,
  addScalar,
  arange,
  cat,
  embedding,
  foreachNorm,
  full,
  Generator,
  matmul,
  mulScalar,
  normal_,
  numLiveTensors,
  ones,
  op,
  reshape,
  scope,
  softmax,
  sumOver,
  type Tensor,
  tensor,
  zeros,
} from "./index.js";

/** The error's text, which must be a TorchError's. */
function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(TorchError);
    return (error as Error).message;
  }
  throw new Error("expected an error");
}

/** For calls that the types forbid. */
const loosely = (operator: unknown): ((...args: unknown[]) => unknown) => operator as (...args: unknown[]) => unknown;

describe("operator errors", () => {
  it("name the operator, the arguments' names and shapes, and give libtorch's text", () => {
    expect(refusal(() => matmul(ones([2, 3]), ones([4, 5])))).toBe(
      "aten::matmul(self: float32[2, 3], other: float32[4, 5]): mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
    );
    try {
      matmul(ones([2, 3]), ones([4, 5]));
    } catch (error) {
      expect((error as TorchError).operator).toBe("aten::matmul");
    }
  });

  it("say which argument is of the wrong JavaScript type", () => {
    expect(refusal(() => loosely(add)(ones([1]), 2))).toBe(
      'aten::add.Tensor(self: float32[1], other: 2): expected a Tensor for "other", got 2',
    );
    expect(refusal(() => loosely(softmax)(ones([1]), "0"))).toContain('argument "dim"');
    expect(refusal(() => loosely(softmax)(ones([1]), 0.5))).toContain("expected an integer, got 0.5");
    expect(refusal(() => loosely(reshape)(ones([1]), 1))).toContain("expected an array");
    expect(refusal(() => loosely(cat)(ones([1])))).toContain('expected an array for "tensors", got float32[1]');
    expect(refusal(() => loosely(sumOver)(ones([1]), [0], "yes"))).toContain("expected true or false");
    expect(refusal(() => loosely(addScalar)(ones([1]), 1n))).toContain("expected a number");
    expect(refusal(() => loosely(zeros)("abc"))).toContain("expected an array");
    expect(refusal(() => loosely(normal_)(ones([1]), 0, 1, 42))).toContain(
      'expected a Generator for "generator", got 42',
    );
  });

  it("say which argument is missing, and that there are too many", () => {
    expect(refusal(() => loosely(add)(ones([1])))).toContain('argument "other" is missing');
    expect(refusal(() => loosely(add)())).toContain('argument "self" is missing');
    expect(refusal(() => loosely(matmul)(ones([1, 1]), ones([1, 1]), 3))).toContain(
      "extra: 3): expected at most 2 arguments, got 3",
    );
  });

  it("tell a disposed tensor, alone or in the middle of a list", () => {
    const gone = ones([2]);
    gone.dispose();
    expect(refusal(() => add(ones([2]), gone))).toBe(
      "aten::add.Tensor(self: float32[2], other: a disposed tensor): torch: expected a live tensor, got a disposed one",
    );
    expect(refusal(() => cat([ones([2]), gone, ones([2])]))).toContain(
      "tensors: [float32[2], a disposed tensor, float32[2]]",
    );
    expect(refusal(() => loosely(cat)([ones([2]), null]))).toContain('expected a Tensor for "tensors", got null');
  });

  it("name an operator that libtorch does not have, when it is called", () => {
    const unknown = op("aten::no_such_thing(Tensor self) -> Tensor");
    expect(refusal(() => unknown(ones([1])))).toBe(
      "aten::no_such_thing(self: float32[1]): the linked libtorch has no operator aten::no_such_thing",
    );
  });

  it("list the dtypes there are and name a device there is not", () => {
    expect(refusal(() => zeros([1], "complex64" as "float32"))).toContain(
      "float32, float64, bool, bfloat16, got complex64",
    );
    expect(refusal(() => zeros([1], "toString" as "float32"))).toContain("got toString");
    expect(refusal(() => zeros([1], "float32", undefined, "abacus"))).toContain("abacus");
  });

  it.each([[3], [-1]])("refuse the index %d outside a table of 3", (index) => {
    const indices = tensor([0, index], [2], "int64");
    expect(refusal(() => embedding(ones([3, 2]), indices))).toContain("index out of range");
  });

  it.each([
    ["overflow", [2 ** 40, 2 ** 40]],
    ["more than any memory", [2 ** 50]],
    ["negative", [-1]],
    ["not whole", [1.5]],
    ["not a number", [Number.NaN]],
    ["beyond exact integers", [2 ** 60]],
  ])("refuse a shape that is impossible: %s", (_, shape) => {
    expect(refusal(() => full(shape, 1))).toContain(`aten::full(size: [${shape.join(", ")}]`);
  });

  it("leave no tensor behind", () => {
    const before = numLiveTensors();
    scope(() => {
      const gone = ones([1]);
      gone.dispose();
      const inside = numLiveTensors();
      const x = ones([2, 3]);
      for (const call of [
        () => cat([x, gone, x]),
        () => foreachNorm([x, gone]),
        () => matmul(x, x),
        () => full([-1], 1),
      ]) {
        refusal(call);
      }
      expect(numLiveTensors()).toBe(inside + 1);
    });
    expect(numLiveTensors()).toBe(before);
  });

  it("come for anything at all that is not a tensor, and describing it never fails", () => {
    using x = ones([1]);
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true }), (value) => {
        refusal(() => loosely(add)(x, value));
        refusal(() => loosely(cat)(Array.isArray(value) ? [...value, 0] : value));
      }),
    );
  });

  it("are TypeErrors of ours for a text that is no schema", () => {
    expect(() => op("add(Tensor self)" as "aten::neg(Tensor self) -> Tensor")).toThrow(
      "internal: not an operator schema",
    );
  });
});

describe("operators", () => {
  it("take the schema's default for what is absent or undefined", () => {
    const [a, b] = [tensor([1]), tensor([2])];
    expect([add(a, b), add(a, b, undefined), add(a, b, 3)].map((x) => x.item())).toEqual([3, 3, 7]);
  });

  it("in place return their first argument itself", () => {
    const x = tensor([1, 2]);
    const before = numLiveTensors();
    expect(add_(x, x)).toBe(x);
    expect(numLiveTensors()).toBe(before);
    expect(x.toNumbers()).toEqual([2, 4]);
  });

  it.each(["int64", "int32", "uint8", "float32", "float64"] as const)("keep %s under a whole number", (dtype) => {
    const x = tensor([1, 2], [2], dtype);
    expect(addScalar(x, 3).dtype).toBe(dtype);
    expect(mulScalar(x, 3).toNumbers()).toEqual([3, 6]);
  });

  it("promote whole tensors by numbers with a fraction, and by -0, which only floats have", () => {
    const x = tensor([3], [1], "int64");
    expect(mulScalar(x, 0.5)).toMatchObject({ dtype: "float32" });
    expect(mulScalar(x, 0.5).item()).toBe(1.5);
    expect(Object.is(mulScalar(tensor([3]), -0).item(), -0)).toBe(true);
  });

  it("take infinities and NaN as numbers", () => {
    expect(full([3], Number.POSITIVE_INFINITY, "float32").toNumbers()).toEqual(Array(3).fill(Number.POSITIVE_INFINITY));
    expect(addScalar(tensor([1]), Number.NaN).item()).toBeNaN();
  });

  it("return lists of tensors as arrays", () => {
    const norms = foreachNorm([tensor([3, 4]), tensor([5, 12])]);
    expect(norms.map((x: Tensor) => x.item())).toEqual([5, 13]);
    expect(foreachNorm([tensor([3, -4])], 1).map((x: Tensor) => x.item())).toEqual([7]);
  });

  it("draw from the generator they are given, and from no other", () => {
    const draw = (seed: number): number[] => normal_(zeros([4]), 0, 1, new Generator(seed)).toNumbers();
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it("make ranges whose dtype follows the number", () => {
    expect(arange(3).dtype).toBe("int64");
    expect(arange(2.5)).toMatchObject({ dtype: "float32", shape: [3] });
  });
});
