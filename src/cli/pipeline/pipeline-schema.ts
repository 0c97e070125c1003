import { z } from "zod";
import { TRAIN_SCHEMA } from "../../train/config-schema.js";

export const STAGE_KINDS = ["flow_matching", "reflow", "distill"] as const;
export type StageKind = (typeof STAGE_KINDS)[number];

const count = z.int().min(1);

/** How the policies of all stages are compared after the last one. */
export const COMPARE = z.strictObject({
  num_steps: z.array(count).min(1).default([1, 2, 5, 10]).describe("Euler steps at which every policy is measured"),
  num_observations: count.default(64).describe("observations of held-out episodes, evenly spaced"),
  num_noises: z.int().min(2).default(16).describe("noises for each of them, the same for every policy"),
  reference_steps: count.default(100).describe("Euler steps of the solution that counts as the truth"),
  baseline: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe("policy whose solution counts as the truth; null for the flow that the pipeline straightens"),
});

export type CompareSettings = z.infer<typeof COMPARE>;

/** All settings of a training run, common to all stages and checked with each of them, and those of the pipeline. */
export const PIPELINE_SCHEMA = z.strictObject({
  ...(Object.fromEntries(Object.keys(TRAIN_SCHEMA.shape).map((name) => [name, z.unknown().optional()])) as Record<
    never,
    z.ZodType
  >),
  output_dir: z.string().min(1),
  overwrite: z.boolean().default(false),
  stages: z.unknown().optional(),
  rounds: z.int().min(0).nullable().default(null),
  distill: z.boolean().default(false),
  compare: COMPARE.prefault({}),
});

/** What every stage must say about itself; names become parts of folder names, and keys beside positions. */
export const STAGES = z
  .array(
    z.looseObject({
      name: z.string().regex(/^(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_-]*$/, {
        error: ({ input }) =>
          `expected a name of letters, digits, "_" and "-" with at least one letter, got ${JSON.stringify(input)}`,
      }),
      kind: z.enum(STAGE_KINDS),
    }),
  )
  .min(1);
