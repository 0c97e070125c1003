import { type HostArray, hostArray } from "../../support/host-array.js";
import { expectSamples } from "./expect-samples.js";

/**
 * The mean over the steps of each chunk: where it leads, for actions that are increments or velocities, and where it stays on
 * average for positions. Two ways of doing a thing differ in it clearly, and the scatter of single actions, which hides modes in
 * many dimensions, is averaged out.
 *
 * @param samples float32 `[O, K, A, M]`
 * @returns float32 `[O, K, 1, M]`
 * @throws ShapeError for other arrays
 */
export function meanAction(samples: HostArray): HostArray {
  const { numObservations, numNoises, numSteps, numDims, data } = expectSamples("eval.meanAction", "samples", samples);
  const means = new Float32Array(numObservations * numNoises * numDims);
  for (const [i, value] of data.entries()) {
    means[Math.floor(i / (numSteps * numDims)) * numDims + (i % numDims)]! += value / numSteps;
  }
  return hostArray("float32", [numObservations, numNoises, 1, numDims], means);
}
