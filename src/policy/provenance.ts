import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomically } from "../support/atomic-file.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { readJson } from "../support/read-json.js";

/** A file of our own beside LeRobot's in a policy folder, which LeRobot does not look at. */
export const PROVENANCE_FILE = "reflow.json";

const count = z.int().min(1);
const share = z.number().min(0).max(1);

/**
 * The content of the file. Only the keys that the first version wrote are required. Every section may hold more keys than
 * are known here: they are kept as they are, so that a policy of a later version is read, and written again, whole.
 */
const PROVENANCE = z.looseObject({
  format: z.literal(1),
  /** which rectified flow this is: 1 is ordinary flow matching, 2 the first reflow, … */
  k: count.optional(),
  objective: z.string(),
  step: z.int().min(0),
  /** conventions of noise, time and velocity, spelt out for whoever reads the file */
  conventions: z.looseObject({ time: z.string(), velocity: z.string(), noise: z.string() }),
  teacher: z
    .looseObject({
      path: z.string(),
      weightsSha256: z.string(),
      k: count.optional(),
    })
    .optional(),
  /** of the teacher's trajectories that made the targets */
  pairs: z
    .looseObject({
      solver: z.string(),
      numSteps: count,
      paddedDims: z.string(),
      /** how the solver's steps are spread over time */
      grid: z.string().optional(),
      /** made for each step, used several times, or read from a store */
      source: z.string().optional(),
      noisesPerObservation: count.optional(),
    })
    .optional(),
  /** what a student began as: its teacher, the vision-language model, or nothing */
  studentInit: z.string().optional(),
  /** noises for each demonstrated chunk of a batch */
  noisesPerObservation: count.optional(),
  /** how the times of training were drawn; `atoms` are single times that got mass of their own */
  time: z
    .looseObject({
      law: z.string().optional(),
      atoms: z.array(z.number().gt(0).max(1)).optional(),
      shareAtAtoms: share.optional(),
    })
    .optional(),
  loss: z.looseObject({ distance: z.string().optional() }).optional(),
  /** demonstrations among the pairs */
  realData: z
    .looseObject({ share: share.optional(), kind: z.string().optional(), timeLaw: z.string().optional() })
    .optional(),
  /** the weights are a moving average of those that were trained */
  ema: z.looseObject({ decay: z.number().min(0).lt(1).optional() }).optional(),
  /** trained to act in one step */
  distilled: z.boolean().optional(),
  statisticsSha256: z.string(),
  /** folders in which relative names of the configuration were looked up */
  resourceFolders: z.array(z.string()),
});

/** The keys that a type names, without the index that stands for all others. */
type Known<T> = { [Key in keyof T as string extends Key ? never : Key]: T[Key] };

/** Where a policy's weights come from. */
export type Provenance = Known<z.infer<typeof PROVENANCE>>;

export const CONVENTIONS = {
  time: "1 is noise, 0 is actions",
  velocity: "noise - actions",
  noise: "standard normal in all padded action dimensions",
} as const;

/**
 * The provenance in a policy folder; undefined if it has none, as LeRobot's own folders.
 *
 * @throws CheckpointError if the file is not JSON, ConfigError naming the file and every key that is missing or of another
 *   type than it must be
 */
export async function readProvenance(folder: string): Promise<Provenance | undefined> {
  const path = join(folder, PROVENANCE_FILE);
  return existsSync(path) ? parseWithSchema(PROVENANCE, await readJson(path), path) : undefined;
}

export const writeProvenance = (folder: string, provenance: Provenance): Promise<void> =>
  writeFileAtomically(join(folder, PROVENANCE_FILE), `${JSON.stringify(provenance, null, 2)}\n`);
