import { ConfigError } from "../../support/errors.js";
import { didYouMean } from "../../support/nearest-name.js";

/** Where the steps of a solve lie between time 1 and time 0. */
export interface Grid {
  readonly name: string;
  /** Where step `index` of `numSteps` begins, and its length, which is negative. Step 0 begins at 1, the last ends at 0. */
  readonly interval: (index: number, numSteps: number) => { readonly time: number; readonly step: number };
}

/** Equal steps, from times 1, 1 - 1/n, …, 1/n: how policies are deployed. */
export const uniformGrid: Grid = {
  name: "uniform",
  interval: (index, numSteps) => ({ time: 1 - index / numSteps, step: -1 / numSteps }),
};

/**
 * Times `(1 - i/n)^2`: long steps at the noise, short ones at the actions, where the flow of nearly certain actions bends
 * (at a time of about their standard deviation). For a standard deviation of 0.1 ten Euler steps keep 0.82 of it here and
 * 0.62 on the uniform grid.
 *
 * Reference: Karras et al. 2022, arXiv:2206.00364, eq. (5) space noise levels by a power so; here it is the square of time.
 */
export const dataDenseGrid: Grid = {
  name: "data_dense",
  interval: (index, numSteps) => {
    const at = (i: number): number => (1 - i / numSteps) ** 2;
    return { time: at(index), step: at(index + 1) - at(index) };
  },
};

export const GRIDS: readonly Grid[] = [uniformGrid, dataDenseGrid];

/** @throws ConfigError naming the grids there are */
export function gridByName(name: string): Grid {
  const grid = GRIDS.find((candidate) => candidate.name === name);
  if (grid !== undefined) return grid;
  const names = GRIDS.map((candidate) => candidate.name);
  throw new ConfigError("flow.grid", `expected one of ${names.join(", ")}, got "${name}"${didYouMean(name, names)}`);
}
