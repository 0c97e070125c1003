import { describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../../support/errors.js";
import {
  backward,
  empty,
  Generator,
  mul,
  normal_,
  numLiveTensors,
  ones,
  scope,
  slice,
  sum,
  type Tensor,
  tensor,
} from "../../torch/index.js";
import { SOLVERS, sampleNoise, solve, solverByName, type VelocityField, velocityTarget } from "../index.js";

const generator = new Generator(4);
const draw = (): Tensor => sampleNoise([3, 4, 5], generator);

describe.each(SOLVERS)("$name", (solver) => {
  const [noise, actions] = [draw(), draw()];

  it.each([1, 2, 5, 10])("solves a straight field exactly in %d steps and leaves the noise unchanged", (numSteps) => {
    const before = noise.toNumbers();
    const result = solve(solver, () => velocityTarget(noise, actions), noise, numSteps).toNumbers();
    for (const [i, action] of actions.toNumbers().entries()) expect(result[i]).toBeCloseTo(action, 5);
    expect(noise.toNumbers()).toEqual(before);
  });

  it.each([1, 2, 5, 100])(
    "asks the field as often as it says for %d steps, at times in (0, 1], first at 1",
    (numSteps) => {
      const times: number[] = [];
      const field: VelocityField = (x, time) => {
        expect(time).toMatchObject({ shape: [3], dtype: "float32" });
        times.push(...new Set(time.toNumbers()));
        return x;
      };
      solve(solver, field, noise, numSteps).dispose();
      expect(times.length).toBe(solver.numEvaluations(numSteps));
      expect(times[0]).toBe(1);
      expect(Math.min(...times)).toBeGreaterThanOrEqual(0.999 / (4 * numSteps));
      expect(Math.max(...times)).toBe(1);
    },
  );

  it("leaves one tensor alive, and none after an error in the middle", () => {
    const before = numLiveTensors();
    solve(solver, (x) => mul(x, x), noise, 3).dispose();
    expect(numLiveTensors()).toBe(before);
    let calls = 0;
    const failing: VelocityField = (x) => {
      calls += 1;
      if (calls > solver.numEvaluations(3) - 1) throw new Error("mine");
      return mul(x, x);
    };
    expect(() => solve(solver, failing, noise, 3)).toThrow("mine");
    expect(numLiveTensors()).toBe(before);
  });

  it.each([0, 1.5, -1, Number.NaN, Number.POSITIVE_INFINITY])("refuses %d steps", (numSteps) => {
    expect(() => solve(solver, () => noise, noise, numSteps)).toThrow(
      new ConfigError(`flow.${solver.name}`, `expected numSteps to be an integer of at least 1, got ${numSteps}`),
    );
  });

  it("refuses a field whose velocity has another shape, even one that would broadcast", () => {
    expect(() => solve(solver, (x) => slice(x, 0, 0, 1), noise, 1)).toThrow(
      new ShapeError(`flow.${solver.name}: expected the field to return a velocity of shape [3, 4, 5], got [1, 4, 5]`),
    );
  });

  it("lets gradients through to the noise", () => {
    const leaf = normal_(empty([1, 2, 2], "float64"), 0, 1, generator);
    leaf.requiresGrad = true;
    backward(sum(solve(solver, (x) => x, leaf, 2)));
    const [first, ...rest] = leaf.grad!.toNumbers();
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(1);
    for (const value of rest) expect(value).toBeCloseTo(first!, 12);
  });
});

describe("solverByName", () => {
  it("finds every solver, and they have names of their own", () => {
    expect(SOLVERS.map(({ name }) => solverByName(name))).toEqual(SOLVERS);
    expect(new Set(SOLVERS.map(({ name }) => name)).size).toBe(SOLVERS.length);
  });

  it("names the solvers there are, and the nearest", () => {
    expect(() => solverByName("eular")).toThrow(
      new ConfigError("flow.solver", 'expected one of euler, midpoint, heun, rk4, got "eular". Did you mean "euler"?'),
    );
    expect(() => solverByName("dormand-prince")).toThrow(/got "dormand-prince"$/);
  });
});

it("a solve is a function of the noise alone", () => {
  const noise = scope(() => ones([2, 1, 1]));
  const run = (): number[] => solve(solverByName("heun"), (x) => mul(x, tensor([0.3])), noise, 7).toNumbers();
  expect(run()).toEqual(run());
});
