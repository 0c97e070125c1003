/** What `comparison.json` holds. */
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { AgreementRow } from "../../eval/index.js";
import type { CompareSettings } from "./pipeline-schema.js";

/** A policy of a comparison, told by its content. */
export interface ComparedPolicy {
  readonly name: string;
  /** the stage that made it; undefined for one that was there before */
  readonly stage: string | undefined;
  readonly path: string;
  readonly weightsSha256: string;
  /** which rectified flow it is, as far as its folder says */
  readonly k: number | undefined;
  readonly isDistilled: boolean;
}

/** Everything that a comparison's figures depend on. */
export interface ComparisonRequest {
  readonly settings: Omit<CompareSettings, "baseline">;
  readonly seed: number;
  /** of the policies that are compared, the one whose solution counts as the truth */
  readonly reference: string;
  /** in the order of the stages, after those that were there before */
  readonly policies: readonly ComparedPolicy[];
  readonly dataset: { readonly contentHash: string; readonly episodes: readonly number[] };
  /** whether no stage has learnt from those episodes */
  readonly isHeldOut: boolean;
}

export interface Comparison extends ComparisonRequest {
  readonly rows: readonly AgreementRow[];
  /** where a stage has lost variety, or is no better than the one before it, as sentences */
  readonly findings: readonly string[];
}

const requestToJson = ({ settings, seed, reference, policies, dataset, isHeldOut }: ComparisonRequest) => ({
  format: 1,
  ...settings,
  seed,
  reference,
  policies: policies.map(({ name, stage, path, weightsSha256, k, isDistilled }) => ({
    name,
    stage: stage ?? null,
    path,
    weights_sha256: weightsSha256,
    k: k ?? null,
    distilled: isDistilled,
  })),
  dataset: { content_hash: dataset.contentHash, episodes: dataset.episodes },
  held_out: isHeldOut,
});

export const comparisonToJson = ({ rows, findings, ...request }: Comparison): unknown => ({
  ...requestToJson(request),
  rows: rows.map(({ name, numSteps, relativeError, noiseExplained, spreadRatio }) => ({
    name,
    num_steps: numSteps,
    relative_error: relativeError ?? null,
    noise_explained: noiseExplained ?? null,
    spread_ratio: spreadRatio ?? null,
  })),
  findings,
});

const measure = z
  .number()
  .nullable()
  .transform((value) => value ?? undefined);

const RESULTS = z.looseObject({
  rows: z.array(
    z
      .strictObject({
        name: z.string(),
        num_steps: z.int(),
        relative_error: measure,
        noise_explained: measure,
        spread_ratio: measure,
      })
      .transform((row) => ({
        name: row.name,
        numSteps: row.num_steps,
        relativeError: row.relative_error,
        noiseExplained: row.noise_explained,
        spreadRatio: row.spread_ratio,
      })),
  ),
  findings: z.array(z.string()),
});

/** The comparison in a file, or undefined if there is none, or one of anything else than was asked for. */
export async function readComparison(path: string, request: ComparisonRequest): Promise<Comparison | undefined> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
  const parsed = RESULTS.safeParse(json);
  if (!parsed.success) return undefined;
  const { rows, findings, ...measured } = parsed.data;
  if (rows.length !== request.policies.length * request.settings.num_steps.length) return undefined;
  return isDeepStrictEqual(measured, requestToJson(request)) ? { ...request, rows, findings } : undefined;
}
