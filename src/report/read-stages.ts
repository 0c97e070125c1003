import { z } from "zod";
import { parseWithSchema } from "../support/parse-with-schema.js";
import type { StageComparison } from "./report-data.js";

const count = z.int().min(0);
const measure = z.number().nullable();

/** The `comparison.json` of a pipeline. */
const STAGES = z.looseObject({
  format: z.literal(1),
  num_observations: count,
  num_noises: count,
  reference_steps: count,
  reference: z.string(),
  policies: z.array(z.looseObject({ name: z.string(), k: count.nullable(), distilled: z.boolean() })),
  dataset: z.looseObject({ episodes: z.array(count) }),
  held_out: z.boolean(),
  rows: z.array(
    z.looseObject({
      name: z.string(),
      num_steps: count,
      relative_error: measure,
      noise_explained: measure,
      spread_ratio: measure,
    }),
  ),
  findings: z.array(z.string()),
});

/** Whether a `comparison.json` is a pipeline's, by its format. */
export const isOfStages = (json: unknown): boolean =>
  typeof json === "object" && json !== null && "format" in json && json.format === 1;

/**
 * What a pipeline says of its stages.
 *
 * @param where names the file
 * @throws ConfigError naming every part that is missing or of another type
 */
export function stagesFromJson(json: unknown, where: string): Omit<StageComparison, "name" | "folder"> {
  const stages = parseWithSchema(STAGES, json, where);
  return {
    reference: stages.reference,
    numObservations: stages.num_observations,
    numNoises: stages.num_noises,
    numReferenceSteps: stages.reference_steps,
    numEpisodes: stages.dataset.episodes.length,
    isHeldOut: stages.held_out,
    policies: stages.policies.map(({ name, k, distilled }) => ({
      name,
      ...(k === null ? {} : { round: k }),
      isDistilled: distilled,
    })),
    rows: stages.rows.map((row) => ({
      policy: row.name,
      numSteps: row.num_steps,
      ...(row.relative_error === null ? {} : { relativeError: row.relative_error }),
      ...(row.noise_explained === null ? {} : { noiseExplained: row.noise_explained }),
      ...(row.spread_ratio === null ? {} : { spreadRatio: row.spread_ratio }),
    })),
    findings: stages.findings,
  };
}
