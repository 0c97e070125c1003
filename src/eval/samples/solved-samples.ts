import { dataDenseGrid, euler, type Grid, heun, type Solver, solve, type VelocityField } from "../../flow/index.js";
import { ConfigError, ShapeError } from "../../support/errors.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { noGrad, scope, slice, type Tensor } from "../../torch/index.js";

/** One flow solved from the same noises well and with few steps; every array is float32 `[O, K, A, M]`. */
export interface SolvedSamples {
  /** by a solver so fine that its error does not count */
  readonly converged: HostArray;
  readonly fewSteps: readonly { readonly numSteps: number; readonly samples: HostArray }[];
}

export interface SolvedSamplesOptions {
  /** K: rows of the noise that belong to one observation, one after the other */
  readonly numNoises: number;
  /** real action dimensions; all if left out */
  readonly numDims?: number;
  /** Euler steps, as policies are deployed */
  readonly numStepsList: readonly number[];
  /**
   * how the flow is solved well; if left out Heun with 100 steps (199 evaluations), short ones at the actions: on equal steps
   * it would lose 0.4 % of a spread of 0.1
   */
  readonly reference?: { readonly solver: Solver; readonly numSteps: number; readonly grid?: Grid };
}

const CONVERGED = { solver: heun, numSteps: 100, grid: dataDenseGrid };

/**
 * Solves a field from each noise at every number of Euler steps, and well.
 *
 * @param noise `[O * K, A, M]`, the noises of one observation next to each other
 * @throws ShapeError if the noises cannot be dealt out to observations, ConfigError for dimensions that there are not and
 *   for impossible numbers of steps
 */
export function solvedSamples(field: VelocityField, noise: Tensor, options: SolvedSamplesOptions): SolvedSamples {
  const where = "eval.solvedSamples";
  const { numNoises, numStepsList, numDims = noise.size(-1), reference = CONVERGED } = options;
  const [rows = 0, numActionSteps = 0] = noise.shape;
  if (noise.shape.length !== 3 || !Number.isSafeInteger(numNoises) || numNoises < 1 || rows % numNoises !== 0) {
    throw new ShapeError(
      `${where}: expected noise [observations * ${numNoises}, A, M], got [${noise.shape.join(", ")}]`,
    );
  }
  if (!Number.isSafeInteger(numDims) || numDims < 1 || numDims > noise.size(-1)) {
    throw new ConfigError(where, `expected numDims to be a whole number from 1 to ${noise.size(-1)}, got ${numDims}`);
  }
  const sample = (solver: Solver, numSteps: number, grid?: Grid): HostArray =>
    noGrad(() =>
      scope(() => {
        const { dtype, data } = slice(solve(solver, field, noise, numSteps, grid), -1, 0, numDims).toHost();
        return hostArray(dtype, [rows / numNoises, numNoises, numActionSteps, numDims], data);
      }),
    );
  return {
    converged: sample(reference.solver, reference.numSteps, reference.grid),
    fewSteps: numStepsList.map((numSteps) => ({ numSteps, samples: sample(euler, numSteps) })),
  };
}
