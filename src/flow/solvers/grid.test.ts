import { describe, expect, it } from "vitest";
import { ConfigError } from "../../support/errors.js";
import { ones } from "../../torch/index.js";
import { dataDenseGrid, GRIDS, gridByName, SOLVERS, solve, uniformGrid, type VelocityField } from "../index.js";

const intervalsOf = (grid: (typeof GRIDS)[number], numSteps: number) =>
  Array.from({ length: numSteps }, (_, k) => grid.interval(k, numSteps));

describe.each(GRIDS)("the grid $name", (grid) => {
  it.each([1, 2, 3, 10, 64, 1000])("goes from 1 to 0 in %d steps without gaps", (numSteps) => {
    const intervals = intervalsOf(grid, numSteps);
    expect(intervals[0]!.time).toBe(1);
    for (const [k, { time, step }] of intervals.entries()) {
      expect(step).toBeLessThan(0);
      expect(time + step).toBeCloseTo(intervals[k + 1]?.time ?? 0, 14);
    }
  });

  const counts = [1, 2, 3, 7, 10, 49, 300].flatMap((numSteps) =>
    SOLVERS.map((solver) => ({ numSteps, solver, name: solver.name })),
  );
  it.each(counts)("lets $name ask at $numSteps steps as often as it says, never at time 0", ({ numSteps, solver }) => {
    const times: number[] = [];
    const field: VelocityField = (x, time) => {
      times.push(time.item());
      return x;
    };
    solve(solver, field, ones([1, 1, 1]), numSteps, grid).dispose();
    // The exception for the end of the last step is made there and nowhere else.
    expect(times.length).toBe(solver.numEvaluations(numSteps));
    const last = grid.interval(numSteps - 1, numSteps).time;
    expect(Math.min(...times)).toBeGreaterThan(0.2 * last);
  });

  it("is found by its name", () => expect(gridByName(grid.name)).toBe(grid));
});

describe("grids", () => {
  it("are 1, 0.75, 0.5, 0.25 and the squares of these", () => {
    expect(intervalsOf(uniformGrid, 4).map(({ time }) => time)).toEqual([1, 0.75, 0.5, 0.25]);
    expect(intervalsOf(dataDenseGrid, 4).map(({ time }) => time)).toEqual([1, 0.5625, 0.25, 0.0625]);
  });

  it("that do not exist are refused, naming those that do and the nearest", () => {
    expect(() => gridByName("data-dense")).toThrow(
      new ConfigError("flow.grid", 'expected one of uniform, data_dense, got "data-dense". Did you mean "data_dense"?'),
    );
    expect(() => gridByName("log")).toThrow(/got "log"$/);
  });
});

it("a solve is the same bit for bit without a grid and with the uniform one", () => {
  const noise = ones([2, 3, 2]);
  for (const solver of SOLVERS) {
    const run = (...grid: [] | [typeof uniformGrid]): number[] =>
      solve(solver, (x) => x, noise, 7, ...grid).toNumbers();
    expect(run(uniformGrid)).toEqual(run());
  }
});
