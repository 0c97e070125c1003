import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomically } from "../support/atomic-file.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { readJson } from "../support/read-json.js";

/** A file of our own beside LeRobot's in a policy folder, which LeRobot does not look at. */
export const PROVENANCE_FILE = "reflow.json";

const PROVENANCE = z.object({
  format: z.literal(1),
  /** which rectified flow this is: 1 is ordinary flow matching, 2 the first reflow, … */
  k: z.int().min(1).optional(),
  objective: z.string(),
  step: z.int().min(0),
  /** conventions of noise, time and velocity, spelt out for whoever reads the file */
  conventions: z.object({ time: z.string(), velocity: z.string(), noise: z.string() }),
  teacher: z
    .looseObject({
      path: z.string(),
      weightsSha256: z.string(),
      k: z.int().min(1).optional(),
    })
    .optional(),
  /** of the teacher's trajectories that made the targets */
  pairs: z.object({ solver: z.string(), numSteps: z.int().min(1), paddedDims: z.string() }).optional(),
  statisticsSha256: z.string(),
  /** folders in which relative names of the configuration were looked up */
  resourceFolders: z.array(z.string()),
});

/** Where a policy's weights come from. */
export type Provenance = z.infer<typeof PROVENANCE>;

export const CONVENTIONS = {
  time: "1 is noise, 0 is actions",
  velocity: "noise - actions",
  noise: "standard normal in all padded action dimensions",
} as const;

/**
 * The provenance in a policy folder; undefined if it has none, as LeRobot's own folders.
 *
 * @throws CheckpointError or ConfigError naming the file if it is damaged
 */
export async function readProvenance(folder: string): Promise<Provenance | undefined> {
  const path = join(folder, PROVENANCE_FILE);
  return existsSync(path) ? parseWithSchema(PROVENANCE, await readJson(path), path) : undefined;
}

export const writeProvenance = (folder: string, provenance: Provenance): Promise<void> =>
  writeFileAtomically(join(folder, PROVENANCE_FILE), `${JSON.stringify(provenance, null, 2)}\n`);
