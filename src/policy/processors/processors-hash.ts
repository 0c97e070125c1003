import { createHash } from "node:crypto";
import type { ProcessorPipelines } from "./pipeline.js";
import { statisticsHash } from "./statistics.js";
import { stepConfigJson } from "./step-json.js";

/**
 * SHA-256 of what both pipelines do, in hexadecimal: their steps with settings and statistics, but not the device they were
 * last used on.
 */
export function processorsHash({ preprocessor, postprocessor }: ProcessorPipelines): string {
  const steps = [preprocessor, postprocessor].map((pipeline) =>
    pipeline.steps
      .filter(({ kind }) => kind !== "device_processor")
      .map((step) => ({ kind: step.kind, config: stepConfigJson(step) })),
  );
  return createHash("sha256")
    .update(JSON.stringify(steps))
    .update(statisticsHash([preprocessor, postprocessor]))
    .digest("hex");
}
