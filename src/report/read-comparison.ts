/** What a `comparison.json` holds: of `reflow compare`, or of a pipeline's stages. */
import { z } from "zod";
import { COMPARISON_FORMAT, type Comparison } from "../compare/comparison.js";
import { CheckpointError } from "../support/errors.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { readJson } from "../support/read-json.js";
import type { StageComparison } from "./report-data.js";

const count = z.number().int().min(0);
/** A measure without a value is left out; some writers say null. */
const measure = z.number().nullish();
const interval = z.looseObject({ value: z.number(), low: z.number(), high: z.number() });
const point = z.tuple([z.number(), z.number()]);
const agreement = z.looseObject({ relativeError: measure, noiseExplained: measure, spreadRatio: measure });
const latencyStatistics = z.looseObject({
  medianMs: z.number(),
  p95Ms: z.number(),
  minMs: z.number(),
  maxMs: z.number(),
  numCalls: count,
});

/** The parts of `eval_info.json` and of comparisons that are alike. */
export const LATENCY = z.looseObject({ total: latencyStatistics, parts: z.record(z.string(), latencyStatistics) });
export const ROLLOUT_SUMMARY = z.looseObject({
  numEpisodes: count,
  numSuccesses: count,
  success: interval.nullish(),
  meanLength: measure,
  modes: z.record(z.string(), count),
  numUndecidedModes: count,
  entropy: z.looseObject({ numCounted: count, entropy: measure, corrected: measure, ceiling: measure }).nullish(),
});

/** Everything that is drawn or told; what is beside it may be there or not. */
const COMPARISON = z.looseObject({
  format: z.literal(COMPARISON_FORMAT),
  created: z.string(),
  status: z.enum(["partial", "complete"]),
  margins: z.looseObject({ success: z.number(), entropyShare: z.number(), betweenModes: z.number() }),
  settings: z.looseObject({
    numStepsList: z.array(count),
    deployedSteps: count,
    seed: z.number(),
    device: z.string(),
    precision: z.string(),
    dataset: z
      .looseObject({ root: z.string(), episodes: z.array(count), numObservations: count, numNoises: count })
      .optional(),
    environment: z.looseObject({ id: z.string(), numEpisodes: count, numActionSteps: count }).optional(),
    versions: z.record(z.string(), z.string()),
  }),
  policies: z
    .array(z.looseObject({ name: z.string(), folder: z.string(), round: count, isDistilled: z.boolean() }))
    .min(1),
  offline: z
    .looseObject({
      rows: z.array(
        z.looseObject({
          policy: z.string(),
          numSteps: count,
          self: agreement,
          teacher: agreement,
          noiseExplainedInterval: interval.nullish(),
          executed: agreement,
          errorPerDimension: z.array(z.number().nullable()),
          modes: z.looseObject({
            betweenModes: z.number(),
            referenceBetweenModes: z.number(),
            numMultimodal: count,
            totalVariation: measure,
            entropyDifference: measure,
          }),
        }),
      ),
      flows: z.array(
        z.looseObject({
          policy: z.string(),
          straightness: z.number(),
          perFlowCost: measure,
          velocityDeviation: z.array(
            z.looseObject({ time: z.number(), mean: z.number(), low: z.number(), high: z.number() }),
          ),
          paths: z.looseObject({ times: z.array(z.number()), points: z.array(z.array(point)) }),
        }),
      ),
      otherNoise: agreement,
    })
    .optional(),
  closedLoop: z
    .looseObject({
      rows: z.array(
        z.looseObject({
          policy: z.string(),
          numSteps: count,
          status: z.enum(["partial", "complete"]),
          summary: ROLLOUT_SUMMARY,
          against: z
            .looseObject({
              onlyFirst: count,
              onlySecond: count,
              difference: measure,
              pValue: z.number(),
              differenceInterval: interval.nullish(),
              entropyShare: measure,
              modeDistance: z.looseObject({ totalVariation: z.number(), byChance: z.number() }).nullish(),
              sameMode: measure,
            })
            .nullish(),
          latency: LATENCY.nullish(),
          routes: z.array(z.looseObject({ success: z.boolean(), points: z.array(point) })),
          videos: z.array(z.string()),
        }),
      ),
    })
    .optional(),
  verdicts: z.array(
    z.looseObject({
      policy: z.string(),
      numSteps: count,
      measure: z.enum(["success", "entropyShare", "betweenModes"]),
      value: z.number(),
      bound: z.number(),
      isMet: z.boolean(),
      isCertain: z.boolean().optional(),
    }),
  ),
});

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

export type ReadComparison =
  | { readonly kind: "policies"; readonly comparison: Comparison }
  | { readonly kind: "stages"; readonly comparison: Omit<StageComparison, "name" | "folder"> };

/**
 * @throws CheckpointError if it cannot be read or is of a format that is not known here, ConfigError naming every part that
 *   is missing or of another type
 */
export async function readComparison(path: string): Promise<ReadComparison> {
  const json = await readJson(path);
  const format = typeof json === "object" && json !== null && "format" in json ? json.format : undefined;
  if (format === 1) return { kind: "stages", comparison: stagesOf(parseWithSchema(STAGES, json, path)) };
  if (format !== COMPARISON_FORMAT) {
    throw new CheckpointError(
      `${path}: expected format ${JSON.stringify(COMPARISON_FORMAT)} or 1, got ${JSON.stringify(format) ?? "none"}`,
    );
  }
  const comparison = withoutNulls(parseWithSchema(COMPARISON, json, path)) as Comparison;
  expectKnownPolicies(comparison, path);
  return { kind: "policies", comparison };
}

/** A row about a policy that is not in the list could be drawn in no colour. */
function expectKnownPolicies({ policies, offline, closedLoop, verdicts }: Comparison, path: string): void {
  const known = policies.map(({ name }) => name);
  const rows = [offline?.rows ?? [], offline?.flows ?? [], closedLoop?.rows ?? [], verdicts].flat();
  const stranger = rows.find(({ policy }) => !known.includes(policy));
  if (stranger === undefined) return;
  throw new CheckpointError(
    `${path}: expected rows about the policies ${known.join(", ")}, got one about "${stranger.policy}"`,
  );
}

function stagesOf(json: z.infer<typeof STAGES>): Omit<StageComparison, "name" | "folder"> {
  return {
    reference: json.reference,
    numObservations: json.num_observations,
    numNoises: json.num_noises,
    numReferenceSteps: json.reference_steps,
    numEpisodes: json.dataset.episodes.length,
    isHeldOut: json.held_out,
    policies: json.policies.map(({ name, k, distilled }) => ({
      name,
      ...(k === null ? {} : { round: k }),
      isDistilled: distilled,
    })),
    rows: json.rows.map((row) => ({
      policy: row.name,
      numSteps: row.num_steps,
      ...(typeof row.relative_error === "number" ? { relativeError: row.relative_error } : {}),
      ...(typeof row.noise_explained === "number" ? { noiseExplained: row.noise_explained } : {}),
      ...(typeof row.spread_ratio === "number" ? { spreadRatio: row.spread_ratio } : {}),
    })),
    findings: json.findings,
  };
}

/** The same without the keys whose value is null; lists keep theirs. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutNulls(inner)]));
}
