import { join } from "node:path";
import type { SmolVLAConfig } from "../../smolvla/config.js";
import { WEIGHTS_FILE } from "../../smolvla/load.js";
import { CheckpointError } from "../../support/errors.js";
import { makeProcessorPipelines } from "../processors/make-pipelines.js";
import type { ProcessorPipelines, Statistics } from "../processors/pipeline.js";
import type { OldLayout } from "./old-layout.js";
import { readStoredStatistics } from "./read-statistics.js";
import { currentName } from "./stored-names.js";

export interface MigrationOptions {
  /** what to do with statistics that were never set; undefined is `refuse` */
  readonly unsetStatistics?: "refuse" | "leave out" | undefined;
}

/**
 * The processors that an old folder would have now, and what its user should know.
 *
 * @param config of the migrated `config.json`
 * @throws CheckpointError for statistics that were never set, unless they are to be left out
 */
export async function migrateProcessors(
  folder: string,
  old: OldLayout,
  config: SmolVLAConfig,
  { unsetStatistics = "refuse" }: MigrationOptions = {},
): Promise<{ readonly processors: ProcessorPipelines; readonly warnings: readonly string[] }> {
  const path = join(folder, WEIGHTS_FILE);
  const features = { ...config.inputFeatures, ...config.outputFeatures };
  const { forward, backward, remarks } = await readStoredStatistics(path, old.storedNames, Object.keys(features));
  const unset = [...forward.keys()].filter((name) => unsetIn(name, forward, backward).length > 0);
  // Nothing is ever normalised for a camera that is not there.
  const missed = unset.filter((name) => !/^observation\.images\.empty_camera_\d+$/.test(name));
  const [first] = missed;
  if (first !== undefined && unsetStatistics === "refuse") {
    throw new CheckpointError(
      `${path}: expected finite statistics of ${first}, got infinity in ${unsetIn(first, forward, backward).join(" and ")}: ` +
        "they were never set, as in a policy that was saved without a dataset, so its actions have no units. Only " +
        "fine-tuning on a dataset gives them",
    );
  }
  const set = (statistics: Statistics): Statistics =>
    new Map([...statistics].filter(([name]) => !unset.includes(name)));
  const { preprocessor } = makeProcessorPipelines(config, set(forward));
  const { postprocessor } = makeProcessorPipelines(config, set(backward));
  return {
    processors: { preprocessor, postprocessor },
    warnings: [
      describeMigration(folder, old.storedNames, set(forward)),
      ...[...old.remarks, ...remarks].map((remark) => `${folder}: ${remark}`),
      ...(missed.length > 0 ? [`${folder}: statistics of ${missed.join(", ")} were never set and are left out`] : []),
      ...(config.adaptToPiAloha
        ? [
            `${folder}: adapt_to_pi_aloha has another order now: LeRobot up to 0.3 converted states before normalising them and ` +
              "actions after turning them back, LeRobot since 0.4 converts normalised ones, and so does this program. The policy " +
              "was trained for the old order and acts differently in this one",
          ]
        : []),
    ],
  };
}

/** The statistics of a feature that hold anything but finite numbers. */
const unsetIn = (feature: string, ...all: readonly Statistics[]): string[] => {
  const names = all.flatMap((statistics) => [...(statistics.get(feature) ?? [])]);
  const unset = names.filter(([, { data }]) => !(data as Float32Array).every(Number.isFinite));
  return [...new Set(unset.map(([name]) => name))].sort();
};

function describeMigration(folder: string, storedNames: readonly string[], statistics: Statistics): string {
  const listed = [...statistics]
    .map(([feature, stats]) => `${feature} ${[...stats.keys()].sort().join(" and ")}`)
    .sort();
  const numRenamed = storedNames.filter((name) => (currentName(name) ?? name) !== name).length;
  const renamed = numRenamed === 0 ? "" : `, and ${numRenamed} weights lost the "_orig_mod" of a compiled policy`;
  return (
    `${folder}: this policy has the layout of LeRobot up to 0.3 and was migrated in memory: ` +
    `its statistics (${listed.join(", ") || "none"}) came out of ${WEIGHTS_FILE}${renamed}. What is saved has today's layout`
  );
}
