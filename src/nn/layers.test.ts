import { describe, expect, it } from "vitest";
import { addScalar, grad, numLiveTensors, sum, type Tensor, tensor, toDtype } from "../torch/index.js";
import { Embedding, LayerNorm, Linear, linearDefault, Module, type ParameterSource, RmsNorm, within } from "./index.js";

/** Gives the listed values by name, and remembers what was asked for. */
function sourceOfValues(values: Record<string, number[]>, asked: unknown[] = []): ParameterSource {
  return (name, shape, law) => {
    asked.push([name, shape, law]);
    return tensor(values[name]!, shape);
  };
}

const expectClose = (x: Tensor, expected: number[]): void => {
  const values = toDtype(x, "float32").toNumbers();
  expect(values.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(values[i]).toBeCloseTo(value, 5);
};

describe("Linear", () => {
  const values = { weight: [1, 2, 3, 4, 5, 6], bias: [10, 20, 30] };

  it("is x · weightᵀ + bias", () => {
    const layer = new Linear(sourceOfValues(values), 2, 3, { bias: true });
    expectClose(layer.forward(tensor([1, -1, 0, 2], [2, 2])), [9, 19, 29, 14, 28, 42]);
    const bare = new Linear(sourceOfValues(values), 2, 3, { bias: false });
    expectClose(bare.forward(tensor([1, -1])), [-1, -1, -1]);
    expect(bare.parameters()).toHaveLength(1);
  });

  it("asks for its parameters with PyTorch's initial law unless told otherwise", () => {
    const asked: unknown[] = [];
    new Linear(sourceOfValues(values, asked), 2, 3, { bias: true, biasLaw: { kind: "constant", value: 0 } });
    expect(asked).toEqual([
      ["weight", [3, 2], { kind: "uniform", bound: 1 / Math.sqrt(2) }],
      ["bias", [3], { kind: "constant", value: 0 }],
    ]);
    expect(linearDefault(100)).toEqual({ kind: "uniform", bound: 0.1 });
  });

  it("casts its input to its weight's type", () => {
    const source: ParameterSource = (name, shape) => toDtype(tensor(values[name as "bias"], shape), "bfloat16");
    const layer = new Linear(source, 2, 3, { bias: true });
    expect(layer.forward(tensor([1, -1])).dtype).toBe("bfloat16");
    expectClose(layer.forward(tensor([1, -1])), [9, 19, 29]);
  });

  it("names the shapes that do not fit", () => {
    const layer = new Linear(sourceOfValues(values), 2, 3, { bias: true });
    expect(() => layer.forward(tensor([1, 2, 3]))).toThrow(/linear\(input: float32\[3\], weight: float32\[3, 2\]/);
  });
});

describe("LayerNorm", () => {
  it("is (x - mean) / sqrt(variance + eps) * weight + bias over the last dimension", () => {
    const layer = new LayerNorm(sourceOfValues({ weight: [1, 2], bias: [0, 10] }), 2, 1);
    const scale = 1 / Math.sqrt(4 + 1); // 1 and 5: mean 3, variance 4
    expectClose(layer.forward(tensor([1, 5, 7, 7], [2, 2])), [-2 * scale, 2 * 2 * scale + 10, 0, 10]);
  });
});

describe("RmsNorm", () => {
  it("is x / sqrt(mean square + eps) * weight over the last dimension", () => {
    const layer = new RmsNorm(sourceOfValues({ weight: [1, 10] }), 2, 0.5);
    const scale = 1 / Math.sqrt(12.5 + 0.5); // 3 and 4: mean square 12.5
    expectClose(layer.forward(tensor([3, 4, 0, 0], [2, 2])), [3 * scale, 40 * scale, 0, 0]);
  });

  it("rounds the normed value to the input's type before the weight is applied", () => {
    const source: ParameterSource = (_, shape) => toDtype(tensor([1.5, 1.5], shape), "bfloat16");
    const layer = new RmsNorm(source, 2, 1e-5);
    const y = layer.forward(toDtype(tensor([3, 1]), "bfloat16"));
    expect(y.dtype).toBe("bfloat16");
    const round = (x: number): number => toDtype(toDtype(tensor([x]), "bfloat16"), "float32").item();
    expect(toDtype(y, "float32").toNumbers()).toEqual([3, 1].map((x) => round(1.5 * round(x / Math.sqrt(5 + 1e-5)))));
  });
});

describe("Embedding", () => {
  const layer = new Embedding(sourceOfValues({ weight: [1, 2, 3, 4, 5, 6] }), 3, 2, { kind: "normal", std: 0.02 });

  it("looks vectors up", () => {
    const rows = layer.forward(tensor([2, 0, 2], [1, 3], "int64"));
    expect(rows.shape).toEqual([1, 3, 2]);
    expectClose(rows, [5, 6, 1, 2, 5, 6]);
  });

  it("refuses an index outside the table", () => {
    expect(() => layer.forward(tensor([3], [1], "int64"))).toThrow(/aten::embedding.*index out of range/);
  });
});

describe("Module", () => {
  class Inner extends Module {
    readonly z: Tensor;
    readonly a: Tensor;
    readonly #hidden: Tensor;
    constructor(source: ParameterSource) {
      super();
      this.z = source("z", [1], { kind: "constant", value: 0 });
      this.a = source("a", [2], { kind: "constant", value: 0 });
      this.#hidden = source("hidden", [1], { kind: "constant", value: 0 });
    }
    get hidden(): Tensor {
      return this.#hidden;
    }
  }
  class Outer extends Module {
    readonly width = 3;
    readonly first: Tensor;
    readonly blocks: Inner[];
    readonly absent: Tensor | undefined = undefined;
    readonly last: Inner;
    constructor(source: ParameterSource) {
      super();
      this.first = source("first", [3], { kind: "constant", value: 0 });
      this.blocks = [0, 1].map((i) => new Inner(within(within(source, "blocks"), i)));
      this.last = new Inner(within(source, "last"));
    }
  }
  const asked: string[] = [];
  const make = (): Outer =>
    new Outer((name, shape) => {
      asked.push(name);
      return tensor(Array(shape[0]!).fill(1), shape);
    });

  it("enumerates parameters in the order of declaration, under the names it asked for, without private ones", () => {
    const names = Array.from(make().namedParameters(), ([name]) => name);
    expect(names).toEqual(["first", "blocks.0.z", "blocks.0.a", "blocks.1.z", "blocks.1.a", "last.z", "last.a"]);
    expect(asked.filter((name) => !name.endsWith("hidden"))).toEqual(names);
    expect(Array.from(make().namedParameters("model"), ([name]) => name)[1]).toBe("model.blocks.0.z");
  });

  it("counts numbers, switches gradients, and frees what it enumerates", () => {
    const module = make();
    expect(module.numParameters).toBe(3 + 3 * 3);
    module.setTrainable(true);
    expect(module.parameters().every((parameter) => parameter.requiresGrad)).toBe(true);
    expect(module.last.hidden.requiresGrad).toBe(false);
    expect(grad(sum(addScalar(module.first, 1)), module.parameters()).map((g) => g !== undefined)).toEqual([
      true,
      ...Array(6).fill(false),
    ]);
    module.setTrainable(false);
    expect(module.first.requiresGrad).toBe(false);
    const before = numLiveTensors();
    module.dispose();
    expect(numLiveTensors()).toBe(before - 7);
    expect(module.last.hidden.isDisposed).toBe(false);
  });
});
