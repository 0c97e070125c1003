import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConfigError, ShapeError } from "../support/errors.js";
import {
  copy_,
  disposeAll,
  full,
  numLiveTensors,
  ones,
  scope,
  type Tensor,
  tensor,
  tensorFromHost,
  toDtype,
} from "../torch/index.js";
import { AdamW, Ema } from "./index.js";

const set = (parameter: Tensor, value: number): void => {
  scope(() => void copy_(parameter, full(parameter.shape, value, "float32")));
};
const only = (parameter: Tensor): Map<string, Tensor> => new Map([["w", parameter]]);
const averageOf = (ema: Ema): number[] => ema.shadows().get("w")!.toNumbers();

function emaOf(parameter: Tensor, decay: number): Ema {
  const ema = new Ema(only(parameter), { decay });
  onTestFinished(() => ema.dispose());
  return ema;
}

describe("the average", () => {
  it("is the weighted sum of the start and all values, by the closed form of the recursion", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 30 }),
        (decay, values) => {
          const parameter = tensor([values[0]!]);
          const ema = new Ema(only(parameter), { decay });
          for (const value of values) {
            set(parameter, value);
            ema.update();
          }
          // d_n … d_1 of the start, and (1 - d_k) d_(k+1) … d_n of value k.
          const d = values.map((_, i) => Math.min(decay, (2 + i) / (11 + i)));
          const remaining = (k: number): number => d.slice(k).reduce((product, x) => product * x, 1);
          const expected = values.reduce(
            (sum, v, k) => sum + (1 - d[k]!) * remaining(k + 1) * v,
            remaining(0) * values[0]!,
          );
          expect(Math.abs(averageOf(ema)[0]! - expected)).toBeLessThan(2e-5);
          ema.dispose();
          parameter.dispose();
        },
      ),
      { numRuns: 50 },
    );
  });

  it("has weights that sum to one: constant parameters stay", () => {
    const ema = emaOf(tensor([3, -7]), 0.99);
    for (let i = 0; i < 100; i++) ema.update();
    expect(averageOf(ema)).toEqual([3, -7]);
  });

  it("follows half of a jump in 0.693 / (1 - d) updates, once the ramp is over", () => {
    const [parameter, decay] = [tensor([0]), 0.99];
    const ema = emaOf(parameter, decay);
    while (ema.decayAt(ema.numUpdates + 1) < decay) ema.update();
    expect(ema.numUpdates).toBe(889);
    set(parameter, 1);
    const halfLife = Math.round(Math.log(2) / (1 - decay));
    for (let i = 0; i < halfLife; i++) ema.update();
    expect(averageOf(ema)[0]).toBeCloseTo(0.5, 2);
  });

  it("forgets the start quickly by its ramp, although the decay is high", () => {
    const parameter = tensor([1]);
    const ema = emaOf(parameter, 0.9999);
    set(parameter, 0);
    for (let i = 0; i < 100; i++) ema.update();
    // The product of (1 + n) / (10 + n) for n = 1 … 100 telescopes to 10! / (102 · 103 · … · 110).
    const product = Array.from({ length: 100 }, (_, i) => (2 + i) / (11 + i)).reduce((p, x) => p * x, 1);
    expect(averageOf(ema)[0]! / product).toBeCloseTo(1, 3);
    expect(product).toBeLessThan(1e-10);
    expect([1, 2, 90, 1e6].map((n) => ema.decayAt(n))).toEqual([2 / 11, 3 / 12, 91 / 100, 0.9999]);
  });
});

describe("withAveraged", () => {
  it("puts the average in the parameters' place, and back bit for bit what was there", async () => {
    const parameter = tensor([0.1, -1e-30, 3e7]);
    const before = parameter.toHost();
    const ema = emaOf(parameter, 0.5);
    set(parameter, 5);
    ema.update();
    scope(() => copy_(parameter, tensorFromHost(before)));
    const average = averageOf(ema);
    expect(average).not.toEqual(parameter.toNumbers());
    const result = await ema.withAveraged(async () => {
      await Promise.resolve();
      expect(parameter.toNumbers()).toEqual(average);
      expect(() => ema.update()).toThrow("internal: the average is in the parameters' place");
      await expect(ema.withAveraged(() => 0)).rejects.toThrow("already");
      return "result";
    });
    expect(result).toBe("result");
    expect(parameter.toHost()).toEqual(before);
    await expect(
      ema.withAveraged(() => {
        throw new Error("mine");
      }),
    ).rejects.toThrow("mine");
    expect(parameter.toHost()).toEqual(before);
    expect(averageOf(ema)).toEqual(average);
    ema.update();
    expect(ema.numUpdates).toBe(2);
  });

  it("rounds to parameters of lower precision, while float32 masters are averaged", async () => {
    const parameter = toDtype(tensor([1, 2]), "bfloat16");
    const optimizer = new AdamW(only(parameter), { betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0 });
    onTestFinished(() => optimizer.dispose());
    const ema = new Ema(only(parameter), { decay: 0.9, masters: optimizer.masters() });
    onTestFinished(() => ema.dispose());
    optimizer.step([tensor([1, 1])], 1e-4); // far below the spacing of bfloat16
    ema.update();
    const start = parameter.toHost();
    expect(averageOf(ema)[0]).toBeCloseTo(1 - (1 - 2 / 11) * 1e-4, 7);
    for (let i = 0; i < 500; i++) {
      optimizer.step([tensor([1, 1])], 1e-4);
      ema.update();
    }
    const end = parameter.toHost();
    expect(end).not.toEqual(start);
    const averaged = await ema.withAveraged(() => parameter.toHost());
    const rounded = scope(() => toDtype(ema.shadows().get("w")!, "bfloat16").toHost());
    expect(averaged).toEqual(rounded);
    expect(parameter.toHost()).toEqual(end);
    expect(() => new Ema(only(parameter), { decay: 0.9 })).toThrow(
      'optim.ema: expected a float32[2] for "w", got bfloat16[2]. Parameters of lower precision need masters',
    );
  });
});

describe("saving and loading", () => {
  it("goes on as if it had not stopped", () => {
    const parameter = tensor([1, 2]);
    const [whole, first] = [emaOf(parameter, 0.9), emaOf(parameter, 0.9)];
    for (let i = 0; i < 3; i++) {
      set(parameter, i);
      for (const ema of [whole, first]) ema.update();
    }
    const second = emaOf(ones([2]), 0.9);
    second.load(first.numUpdates, first.shadows());
    set(parameter, 9);
    whole.update();
    const values = only(parameter);
    const resumed = new Ema(values, { decay: 0.9 });
    resumed.load(second.numUpdates, second.shadows());
    resumed.update();
    expect(averageOf(resumed)).toEqual(averageOf(whole));
    expect(resumed.numUpdates).toBe(4);
    resumed.dispose();
  });

  it("refuses averages that are missing or of another shape, and changes nothing then", () => {
    const parameters = new Map([
      ["a", ones([1])],
      ["b", ones([2])],
    ]);
    const ema = new Ema(parameters, { decay: 0.9 });
    onTestFinished(() => ema.dispose());
    expect(() => ema.load(3, new Map([["a", full([1], 5, "float32")]]))).toThrow(
      new ShapeError('optim.ema: expected the average of "b" of shape [2], got none'),
    );
    const wrong = new Map([
      ["a", full([1], 5, "float32")],
      ["b", full([3], 5, "float32")],
    ]);
    expect(() => ema.load(3, wrong)).toThrow('expected the average of "b" of shape [2], got [3]');
    expect([ema.numUpdates, ema.shadows().get("a")!.item()]).toEqual([0, 1]);
  });
});

it.each([1, -0.1, Number.NaN, 2])("a decay of %d is refused", (decay) => {
  expect(() => new Ema(new Map(), { decay })).toThrow(ConfigError);
  expect(() => new Ema(new Map(), { decay })).toThrow(
    `optim.ema at decay: expected a number of at least 0 and below 1, got ${decay}`,
  );
});

it("one float32 tensor lives per parameter, whatever is called, and none afterwards", async () => {
  const parameters = new Map([
    ["a", ones([3])],
    ["b", ones([2, 2])],
  ]);
  const before = numLiveTensors();
  const ema = new Ema(parameters, { decay: 0.9 });
  for (let i = 0; i < 5; i++) {
    ema.update();
    await ema.withAveraged(() => numLiveTensors());
    ema.load(i, ema.shadows());
    expect(numLiveTensors()).toBe(before + 2);
  }
  ema.dispose();
  expect(numLiveTensors()).toBe(before);
  disposeAll(parameters);
});
