import { neededStatistics } from "../policy/processors/normalization.js";
import { isNormalization, type ProcessorPipeline } from "../policy/processors/pipeline.js";
import type { ProcessorBatch } from "../policy/processors/run-pipeline.js";
import type { SmolVLAConfig } from "../smolvla/config.js";
import { type HostArray, hostArray, numElements } from "../support/host-array.js";

const NUM_ROWS = 2;

/**
 * Two made-up observations that a policy can read, for checks that need some input and no particular one: pictures of
 * stripes, and states at the middle of what the statistics say.
 */
export function syntheticObservation(
  { inputFeatures }: SmolVLAConfig,
  preprocessor: ProcessorPipeline,
): ProcessorBatch {
  const entries = Object.entries(inputFeatures)
    .filter(([name]) => !/\.empty_camera_\d+$/.test(name))
    .map(([name, { type, shape }]): [string, HostArray] => {
      const dims = [NUM_ROWS, ...shape];
      if (type === "VISUAL") {
        const pixels = Uint8Array.from(
          { length: numElements(dims) },
          (_, i) => (37 * i + 101 * Math.floor(i / 61)) % 256,
        );
        return [name, hostArray("uint8", dims, pixels)];
      }
      const middle = middleOf(name, preprocessor);
      const values = Float32Array.from({ length: numElements(dims) }, (_, i) => middle?.[i % middle.length] ?? 0);
      return [name, hostArray("float32", dims, values)];
    });
  return { arrays: Object.fromEntries(entries), tasks: ["push", "wait"] };
}

/** The offset that normalisation takes from a feature, entry by entry. */
function middleOf(name: string, { steps }: ProcessorPipeline): Float32Array | undefined {
  for (const step of steps.filter(isNormalization)) {
    const type = step.features[name]?.type;
    const [offset] = type === undefined ? [] : neededStatistics(step.normMap[type] ?? "IDENTITY");
    const statistic = offset === undefined ? undefined : step.statistics.get(name)?.get(offset);
    if (statistic !== undefined) return statistic.data as Float32Array;
  }
  return undefined;
}
