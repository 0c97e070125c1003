/** What a run writes into its checkpoints about where their weights come from. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { statisticsHash } from "../policy/processors/statistics.js";
import { CONVENTIONS, type Provenance, readProvenance } from "../policy/provenance.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { WEIGHTS_FILE } from "../smolvla/load.js";
import { CheckpointError } from "../support/errors.js";

/** All of a checkpoint's provenance but the step it was written at. */
export type RunProvenance = Omit<Provenance, "step">;

export const commonProvenance = (policy: SmolVLAPolicy) => ({
  format: 1 as const,
  conventions: CONVENTIONS,
  statisticsSha256: statisticsHash([policy.processors.preprocessor, policy.processors.postprocessor]),
  resourceFolders: policy.resourceFolders.map((folder) => resolve(folder)),
});

/** SHA-256 of a policy folder's weights file, in hexadecimal; takes seconds for a large one. */
export async function weightsHash(folder: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(join(folder, WEIGHTS_FILE), { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/** A run that continues must go on after the teacher it began with. A checkpoint of stock LeRobot does not say which. */
export async function expectSameTeacher(checkpoint: string, now: RunProvenance): Promise<void> {
  const then = await readProvenance(checkpoint);
  if (then?.teacher === undefined) return;
  const changed = [
    ...(then.teacher.weightsSha256 === now.teacher?.weightsSha256 ? [] : ["weights"]),
    ...(then.statisticsSha256 === now.statisticsSha256 ? [] : ["statistics"]),
  ];
  if (changed.length === 0) return;
  throw new CheckpointError(
    `--resume: expected the teacher that ${checkpoint} was trained after, got one with other ${changed.join(" and ")} in ` +
      `${now.teacher?.path}. Restore that policy, or start a new run`,
  );
}
