import { type Tensor, tensor } from "../../torch/index.js";
import { expectNumber } from "../expect-number.js";

export interface EntryWeightsOptions {
  /** A */
  readonly chunkSize: number;
  /** the robot's dimensions, the first of M */
  readonly actionDim: number;
  /** M */
  readonly maxActionDim: number;
  /** steps of a chunk that are executed before the next is asked for (`n_action_steps`); the whole chunk if left out */
  readonly numExecuted?: number;
  /** weight of an executed step beside a step that is not, above 0; 1 if left out */
  readonly executedWeight?: number;
  /**
   * share of the padded dimensions in all weight, from 0 to below 1; all dimensions alike if left out or null. Without
   * padded dimensions there is nothing to share.
   */
  readonly paddedShare?: number | null;
}

/**
 * Weights of a chunk's entries: the product of a weight of the step and one of the dimension, with a mean of 1. With
 * nothing said all are exactly 1.
 *
 * With 7 real of 32 dimensions an unweighted loss is 78 % about dimensions that no robot has; a padded share of 0.1 keeps
 * the padded part of the student's path where the teacher has it, at a tenth of the loss. A share of 0 leaves it untrained:
 * then only one-step sampling, or a velocity that is set there by hand, is consistent.
 *
 * @returns float32 `[A, M]` on the CPU
 * @throws ConfigError for counts and weights that make no sense
 */
export function entryWeights(options: EntryWeightsOptions): Tensor {
  const { chunkSize, actionDim, maxActionDim } = options;
  checkOptions(options);
  const steps = stepWeights(chunkSize, options.numExecuted ?? chunkSize, options.executedWeight ?? 1);
  const dims = dimensionWeights(actionDim, maxActionDim, options.paddedShare ?? undefined);
  return tensor(
    steps.flatMap((step) => dims.map((dim) => step * dim)),
    [chunkSize, maxActionDim],
  );
}

/** One weight per step, with a mean of 1. */
function stepWeights(chunkSize: number, numExecuted: number, executedWeight: number): number[] {
  const mean = (numExecuted * executedWeight + chunkSize - numExecuted) / chunkSize;
  return Array.from({ length: chunkSize }, (_, step) => (step < numExecuted ? executedWeight : 1) / mean);
}

/** One weight per dimension, with a mean of 1. */
function dimensionWeights(numReal: number, width: number, paddedShare: number | undefined): number[] {
  const numPadded = width - numReal;
  if (paddedShare === undefined || numPadded === 0) return Array<number>(width).fill(1);
  const [real, padded] = [((1 - paddedShare) * width) / numReal, (paddedShare * width) / numPadded];
  return Array.from({ length: width }, (_, dim) => (dim < numReal ? real : padded));
}

function checkOptions({ chunkSize, actionDim, maxActionDim, ...options }: EntryWeightsOptions): void {
  const where = "flow.entryWeights";
  const { numExecuted = chunkSize, executedWeight = 1, paddedShare } = options;
  const expectCount = (name: string, count: number, most: number): void =>
    expectNumber(
      where,
      name,
      count,
      Number.isInteger(count) && count >= 1 && count <= most,
      most === Number.POSITIVE_INFINITY ? "an integer of at least 1" : `an integer from 1 to ${most}`,
    );
  expectCount("chunkSize", chunkSize, Number.POSITIVE_INFINITY);
  expectCount("maxActionDim", maxActionDim, Number.POSITIVE_INFINITY);
  expectCount("actionDim", actionDim, maxActionDim);
  expectCount("numExecuted", numExecuted, chunkSize);
  expectNumber(where, "executedWeight", executedWeight, executedWeight > 0, "a number above 0");
  const share = paddedShare ?? 0;
  expectNumber(where, "paddedShare", share, share >= 0 && share < 1, "a share from 0 to below 1");
}
