import { describe, expect, it } from "vitest";
import { ShapeError } from "../support/errors.js";
import { disposeAll, numLiveTensors, ones, type Tensor, tensor, tensorFromHost, toDtype } from "../torch/index.js";
import { AdamW, type AdamWOptions, type Moments } from "./index.js";

const OPTIONS: AdamWOptions = { betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.1 };

/** The recurrence of the paper on one number, in float64. */
class Reference {
  m = 0;
  v = 0;
  constructor(
    public w: number,
    readonly options: AdamWOptions,
  ) {}
  step(g: number, lr: number, t: number): void {
    const { betas, eps, weightDecay } = this.options;
    this.m = betas[0] * this.m + (1 - betas[0]) * g;
    this.v = betas[1] * this.v + (1 - betas[1]) * g * g;
    this.w -= lr * weightDecay * this.w;
    this.w -= (lr * (this.m / (1 - betas[0] ** t))) / (Math.sqrt(this.v / (1 - betas[1] ** t)) + eps);
  }
}

const gradientAt = (step: number, i: number): number => Math.sin(1.7 * step + i) * 10 ** (i - 1);
const numbers = (x: Tensor): number[] => toDtype(x, "float32").toNumbers();

describe("AdamW", () => {
  it.each([0, 0.1])("follows the paper's recurrence over 20 steps with a weight decay of %d", (weightDecay) => {
    const options = { ...OPTIONS, weightDecay };
    const start = [1, -2, 0.5];
    const parameter = tensor(start);
    const optimizer = new AdamW(new Map([["w", parameter]]), options);
    const references = start.map((w) => new Reference(w, options));
    for (let step = 1; step <= 20; step++) {
      const lr = 0.01 / step;
      optimizer.step([tensor(start.map((_, i) => gradientAt(step, i)))], lr);
      for (const [i, reference] of references.entries()) reference.step(gradientAt(step, i), lr, step);
    }
    expect(optimizer.numUpdates).toBe(20);
    for (const [i, { w, m, v }] of references.entries()) {
      expect(Math.abs(numbers(parameter)[i]! - w)).toBeLessThan(2e-6);
      expect(numbers(optimizer.moments().get("w")!.expAvg)[i]! / m).toBeCloseTo(1, 4);
      expect(numbers(optimizer.moments().get("w")!.expAvgSq)[i]! / v).toBeCloseTo(1, 4);
    }
  });

  it("leaves a parameter without a gradient as it is, weight decay included", () => {
    const [a, b] = [tensor([1]), tensor([1])];
    const optimizer = new AdamW(
      new Map([
        ["a", a],
        ["b", b],
      ]),
      OPTIONS,
    );
    optimizer.step([undefined, tensor([1])], 0.1);
    expect(a.item()).toBe(1);
    expect(b.item()).toBeCloseTo(1 - 0.01 - 0.1, 6);
    expect(optimizer.moments().get("a")!.expAvg.item()).toBe(0);
    optimizer.step([undefined, undefined], 0.1);
    expect([a.item(), optimizer.numUpdates]).toEqual([1, 2]);
  });

  it("does not lose updates that are smaller than a bfloat16 parameter's spacing", () => {
    const parameter = toDtype(tensor([1]), "bfloat16");
    const optimizer = new AdamW(new Map([["w", parameter]]), { ...OPTIONS, weightDecay: 0 });
    for (let step = 1; step <= 100; step++) {
      const before = numbers(parameter)[0]!;
      optimizer.step([tensor([1])], 1e-4); // each update is -1e-4; the spacing below 1 is 2^-8 = 0.0039
      if (step === 1) expect(numbers(parameter)[0]).toBe(before);
      expect(numbers(parameter)).toEqual(numbers(toDtype(optimizer.masters().get("w")!, "bfloat16")));
    }
    expect(optimizer.masters().get("w")!.dtype).toBe("float32");
    expect(optimizer.masters().get("w")!.item()).toBeCloseTo(0.99, 5);
    expect(numbers(parameter)[0]).toBe(0.98828125); // the nearest bfloat16 to 0.99
  });

  it("is its own master where a parameter is float32, and updates one that requires gradients", () => {
    const parameter = tensor([1]);
    parameter.requiresGrad = true;
    const optimizer = new AdamW(new Map([["w", parameter]]), OPTIONS);
    expect(optimizer.masters().get("w")).toBe(parameter);
    optimizer.step([tensor([1])], 0.1);
    expect(parameter.item()).toBeLessThan(1);
    expect(parameter.requiresGrad).toBe(true);
  });

  it.each(["float32", "bfloat16"] as const)("continues bit-equal after restoring what was saved (%s)", (dtype) => {
    const gradient = (step: number): Tensor => tensor([gradientAt(step, 0), gradientAt(step, 1)]);
    const make = (values: number[]): { parameter: Tensor; optimizer: AdamW } => {
      const parameter = toDtype(tensor(values), dtype);
      return { parameter, optimizer: new AdamW(new Map([["w", parameter]]), OPTIONS) };
    };
    const unbroken = make([1, 2]);
    for (let step = 1; step <= 3; step++) unbroken.optimizer.step([gradient(step)], 0.01);
    const copy = (x: Tensor): Tensor => tensorFromHost(structuredClone(x.toHost()));
    const masters = new Map([["w", copy(unbroken.optimizer.masters().get("w")!)]]);
    const { expAvg, expAvgSq } = unbroken.optimizer.moments().get("w")!;
    const moments = new Map([["w", { expAvg: copy(expAvg), expAvgSq: copy(expAvgSq) }]]);
    const resumed = make([0, 0]);
    resumed.optimizer.restore(3, masters, moments);
    expect(resumed.parameter.toHost()).toEqual(unbroken.parameter.toHost());
    for (const { optimizer } of [unbroken, resumed]) {
      for (let step = 4; step <= 8; step++) optimizer.step([gradient(step)], 0.01);
    }
    expect(resumed.parameter.toHost()).toEqual(unbroken.parameter.toHost());
    expect(resumed.optimizer.masters().get("w")!.toHost()).toEqual(unbroken.optimizer.masters().get("w")!.toHost());
    expect(resumed.optimizer.numUpdates).toBe(8);
  });

  it("refuses to restore what does not fit, and then changes nothing", () => {
    const [a, b] = [tensor([1]), tensor([1, 2])];
    const optimizer = new AdamW(
      new Map([
        ["a", a],
        ["b", b],
      ]),
      OPTIONS,
    );
    const moments = (size: number): Moments => ({ expAvg: ones([size]), expAvgSq: ones([size]) });
    const goodMasters = new Map([
      ["a", ones([1])],
      ["b", ones([2])],
    ]);
    const good = new Map([
      ["a", moments(1)],
      ["b", moments(2)],
    ]);
    const cases: [Map<string, Tensor>, Map<string, Moments>, string][] = [
      [new Map([["a", ones([1])]]), good, 'expected the value of "b" of shape [2], got none'],
      [new Map([...goodMasters, ["b", ones([3])]]), good, 'expected the value of "b" of shape [2], got [3]'],
      [goodMasters, new Map([["a", moments(1)]]), 'expected the first moment of "b" of shape [2], got none'],
      [
        goodMasters,
        new Map([...good, ["b", { expAvg: ones([2]), expAvgSq: ones([1]) }]]),
        'expected the second moment of "b" of shape [2], got [1]',
      ],
    ];
    for (const [masters, saved, text] of cases) {
      expect(() => optimizer.restore(5, masters, saved)).toThrow(new ShapeError(`optim.restore: ${text}`));
      expect([a.item(), optimizer.moments().get("a")!.expAvg.item(), optimizer.numUpdates]).toEqual([1, 0, 0]);
    }
  });

  it("refuses gradients that do not fit, naming the parameter, and counts no update", () => {
    const optimizer = new AdamW(
      new Map([
        ["a", ones([1])],
        ["b", ones([2])],
      ]),
      OPTIONS,
    );
    expect(() => optimizer.step([ones([1])], 0.1)).toThrow(
      "optim.step: expected 2 gradients, one per parameter, got 1",
    );
    expect(() => optimizer.step([ones([1]), ones([3])], 0.1)).toThrow(
      'optim.step: expected a gradient float32[2] for "b", got float32[3]',
    );
    expect(() => optimizer.step([toDtype(ones([1]), "bfloat16"), undefined], 0.1)).toThrow(
      'optim.step: expected a gradient float32[1] for "a", got bfloat16[1]',
    );
    expect(optimizer.numUpdates).toBe(0);
  });

  it("holds two moments per parameter, a master where one is needed, and nothing else", () => {
    const parameters = new Map([
      ["a", ones([1])],
      ["b", toDtype(ones([2]), "bfloat16")],
    ]);
    const gradients = [ones([1]), ones([2])];
    const before = numLiveTensors();
    const optimizer = new AdamW(parameters, OPTIONS);
    expect(numLiveTensors()).toBe(before + 2 * 2 + 1);
    optimizer.step(gradients, 0.1);
    optimizer.step([undefined, gradients[1]], 0.1);
    optimizer.restore(2, new Map(optimizer.masters()), new Map(optimizer.moments()));
    expect(numLiveTensors()).toBe(before + 2 * 2 + 1);
    optimizer.dispose();
    expect(numLiveTensors()).toBe(before);
    expect([...parameters.values()].some((parameter) => parameter.isDisposed)).toBe(false);
    disposeAll(parameters);
  });
});
