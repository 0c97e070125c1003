import { join } from "node:path";
import { writeFileAtomically } from "../../support/atomic-file.js";
import { makeFolder } from "../../support/make-folder.js";
import { stringifyAsPython } from "../../support/python-json.js";
import { isNormalization, type ProcessorPipeline } from "./pipeline.js";
import { writeStatistics } from "./statistics.js";
import { stepConfigJson } from "./step-json.js";

/**
 * Writes a pipeline in the form of LeRobot 0.4.4, which later versions read too: `NAME.json`, and a state file
 * `NAME_step_INDEX_STEP.safetensors` for each step with statistics. State files come first, each file is written
 * atomically, so the JSON never names a file that is not there.
 */
export async function saveProcessorPipeline(folder: string, pipeline: ProcessorPipeline): Promise<void> {
  await makeFolder(folder);
  const steps: Record<string, unknown>[] = [];
  for (const [index, step] of pipeline.steps.entries()) {
    const entry: Record<string, unknown> = { registry_name: step.kind, config: stepConfigJson(step) };
    if (isNormalization(step) && step.statistics.size > 0) {
      const stateFile = `${pipeline.name}_step_${index}_${step.kind}.safetensors`;
      await writeStatistics(join(folder, stateFile), step.statistics);
      entry.state_file = stateFile;
    }
    steps.push(entry);
  }
  await writeFileAtomically(
    join(folder, `${pipeline.name}.json`),
    stringifyAsPython({ name: pipeline.name, steps }, 2),
  );
}
