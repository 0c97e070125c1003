import { ConfigError } from "../../support/errors.js";
import { didYouMean } from "../../support/nearest-name.js";
import { euler } from "./euler.js";
import { heun } from "./heun.js";
import { midpoint } from "./midpoint.js";
import { rk4 } from "./rk4.js";
import type { Solver } from "./solver.js";

export const SOLVERS: readonly Solver[] = [euler, midpoint, heun, rk4];

/** @throws ConfigError naming the solvers there are */
export function solverByName(name: string): Solver {
  const solver = SOLVERS.find((candidate) => candidate.name === name);
  if (solver !== undefined) return solver;
  const names = SOLVERS.map((candidate) => candidate.name);
  throw new ConfigError("flow.solver", `expected one of ${names.join(", ")}, got "${name}"${didYouMean(name, names)}`);
}
