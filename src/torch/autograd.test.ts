import { describe, expect, it } from "vitest";
import { TorchError } from "../support/errors.js";
import {
  addScalar,
  backward,
  cos,
  disposeAll,
  div,
  enableGrad,
  exp,
  gelu,
  grad,
  inference,
  isGradEnabled,
  log,
  matmul,
  meanOver,
  mul,
  mulScalar,
  noGrad,
  numLiveTensors,
  pow,
  powOfScalar,
  rsqrt,
  scope,
  sigmoid,
  silu,
  sin,
  softmax,
  square,
  sum,
  type Tensor,
  tensor,
  transpose,
  vectorNorm,
  view,
  zeros,
} from "./index.js";

const leaf = (values: number[], dtype: "float32" | "float64" = "float64"): Tensor => {
  const x = tensor(values, [values.length], dtype);
  x.requiresGrad = true;
  return x;
};

describe("grad", () => {
  const functions: [string, (x: Tensor) => Tensor][] = [
    ["sum of squares", (x) => sum(square(x))],
    ["norm", (x) => vectorNorm(x)],
    ["sin cos", (x) => sum(mul(sin(x), cos(x)))],
    ["exp log", (x) => sum(log(addScalar(exp(x), 1)))],
    ["rsqrt", (x) => sum(rsqrt(addScalar(square(x), 0.1)))],
    ["powers", (x) => sum(mul(pow(x, 3), powOfScalar(2, x)))],
    ["silu, gelu and sigmoid", (x) => sum(mul(silu(x), mul(gelu(x), sigmoid(x))))],
    ["gelu by tanh", (x) => sum(gelu(x, "tanh"))],
    ["softmax", (x) => sum(mul(softmax(x, 0), square(x)))],
    ["matmul of views", (x) => sum(square(matmul(view(x, [2, 2]), transpose(view(x, [2, 2]), 0, 1))))],
    ["mean and quotient", (x) => sum(div(x, addScalar(square(meanOver(x, [0], true)), 1)))],
  ];
  it.each(functions)("of %s agrees with finite differences", (_, f) => {
    const point = [0.7, -1.3, 0.2, 2.1];
    const x = leaf(point);
    const analytic = grad(f(x), [x])[0]!.toNumbers();
    const h = 1e-6;
    const moved = (i: number, by: number): number =>
      f(tensor(Object.assign([...point], { [i]: point[i]! + by }), [4], "float64")).item();
    for (const [i, value] of analytic.entries()) {
      expect(value).toBeCloseTo((moved(i, h) - moved(i, -h)) / (2 * h), 6);
    }
  });

  it("leaves the leaves untouched", () => {
    const x = leaf([1, 2]);
    expect(grad(sum(square(x)), [x])[0]!.toNumbers()).toEqual([2, 4]);
    expect(x.grad).toBeUndefined();
    expect(x.toNumbers()).toEqual([1, 2]);
  });

  it("is undefined for an input that the output does not use", () => {
    const [x, unused] = [leaf([1]), leaf([5])];
    const gradients = grad(square(x), [unused, x]);
    expect(gradients[0]).toBeUndefined();
    expect(gradients[1]?.item()).toBe(2);
  });

  it("takes a gradient for an output with many entries", () => {
    const x = leaf([1, 2]);
    const gradient = tensor([10, 100], [2], "float64");
    expect(grad(square(x), [x], { gradient })[0]!.toNumbers()).toEqual([20, 400]);
    expect(() => grad(square(x), [x])).toThrow(/^torch.grad: grad can be implicitly created only for scalar outputs/);
    expect(() => grad(square(x), [x], { gradient: zeros([3], "float64") })).toThrow(TorchError);
  });

  it("of a gradient is the second derivative", () => {
    const x = leaf([3]);
    const [first] = grad(pow(x, 3), [x], { createGraph: true });
    expect(grad(first!, [x])[0]!.item()).toBe(18);
  });

  it("can be taken twice only if the graph is retained", () => {
    const x = leaf([3]);
    const y = square(x);
    expect(grad(y, [x], { retainGraph: true })[0]!.item()).toBe(6);
    expect(grad(y, [x])[0]!.item()).toBe(6);
    expect(() => grad(y, [x])).toThrow(/^torch.grad: .*second time/);
  });

  it("of nothing is nothing", () => expect(grad(square(leaf([1])), [])).toEqual([]));

  it("says that nothing was recorded", () => {
    const x = leaf([3]);
    expect(() => backward(noGrad(() => square(x)))).toThrow(/^torch.backward: .*does not require grad/);
    expect(() => grad(sum(tensor([1])), [x])).toThrow(TorchError);
  });

  it("leaves as many tensors alive as it returns", () => {
    const before = numLiveTensors();
    const result = scope(() => {
      const [x, unused] = [leaf([1, 2]), leaf([1])];
      return grad(sum(square(x)), [x, unused]);
    });
    expect(numLiveTensors()).toBe(before + 1);
    disposeAll(result);
  });
});

describe("backward", () => {
  const gradOf = (x: Tensor): number | undefined => x.grad?.item();

  it("accumulates into the leaves", () => {
    const x = leaf([3]);
    backward(square(x));
    backward(square(x));
    expect(x.grad?.item()).toBe(12);
    x.grad = undefined;
    expect(gradOf(x)).toBeUndefined();
    backward(square(x));
    expect(gradOf(x)).toBe(6);
  });

  it("can be repeated if the graph is retained", () => {
    const x = leaf([3]);
    const y = square(x);
    backward(y, { retainGraph: true });
    backward(y);
    expect(x.grad?.item()).toBe(12);
    expect(() => backward(y)).toThrow(/^torch.backward: .*second time/);
  });

  it("starts from the gradient it is given", () => {
    const x = leaf([1, 2]);
    backward(square(x), { gradient: tensor([1, 10], [2], "float64") });
    expect(x.grad?.toNumbers()).toEqual([2, 40]);
  });
});

describe("requiresGrad and grad", () => {
  it("are refused where they cannot hold", () => {
    expect(() => {
      tensor([1], [1], "int64").requiresGrad = true;
    }).toThrow(/^torch.requiresGrad: .*floating point/);
    const derived = square(leaf([1]));
    expect(() => {
      derived.requiresGrad = false;
    }).toThrow(
      "torch.requiresGrad: a tensor that was computed from others cannot stop requiring a gradient; detach it",
    );
  });

  it.each([
    ["shape", zeros([2], "float64")],
    ["dtype", zeros([1])],
  ])("refuse a gradient of another %s", (_, wrong) => {
    const x = leaf([1]);
    expect(() => {
      x.grad = wrong;
    }).toThrow("torch.grad: expected a gradient of the tensor's own shape, dtype and device");
    expect(x.grad).toBeUndefined();
  });
});

describe("noGrad, enableGrad and inference", () => {
  const records = (): boolean => {
    const x = scope(() => square(leaf([1])));
    try {
      expect(isGradEnabled()).toBe(x.requiresGrad);
      return x.requiresGrad;
    } finally {
      x.dispose();
    }
  };

  it("nest, and end with their block", () => {
    const seen: boolean[] = [];
    noGrad(() => {
      seen.push(records());
      enableGrad(() => {
        seen.push(records());
        noGrad(() => seen.push(records()));
        seen.push(records());
      });
      seen.push(records());
      inference(() => inference(() => seen.push(records())));
      seen.push(records());
    });
    seen.push(records());
    expect(seen).toEqual([false, true, false, true, false, false, false, true]);
  });

  it.each([
    ["noGrad", noGrad],
    ["enableGrad", enableGrad],
    ["inference", inference],
  ])("%s restores what was before after an error, and refuses promises", (name, block) => {
    const failure = new Error("mine");
    const fail = (): never => {
      throw failure;
    };
    expect(() => block(fail)).toThrow(failure);
    expect(records()).toBe(true);
    noGrad(() => {
      expect(() => block(fail)).toThrow(failure);
      expect(records()).toBe(false);
    });
    expect(() => block(async () => {})).toThrow(`torch.${name}: expected a synchronous function`);
    expect(records()).toBe(true);
  });

  it("let inference tensors be read but not recorded", () => {
    const x = inference(() => mulScalar(tensor([2], [1], "float64"), 3));
    expect(x.item()).toBe(6);
    expect(() => mul(leaf([1]), x)).toThrow(/Inference tensors cannot be saved for backward/);
  });
});
