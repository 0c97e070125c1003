import { z } from "zod";
import { CheckpointError, messageOf } from "../support/errors.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { readJson } from "../support/read-json.js";
import { COMPARISON_FORMAT, type Comparison } from "./comparison.js";

const count = z.int().min(0);
const number = z.number();
const text = z.string();

/** Every section may hold more keys than are known here. */
const section = <Shape extends z.ZodRawShape>(shape: Shape) => z.looseObject(shape);

const interval = section({ value: number, low: number, high: number });
const agreement = section({
  relativeError: number.optional(),
  noiseExplained: number.optional(),
  spreadRatio: number.optional(),
});
const split = section({ distance: number, zeroLevel: number, excess: number });
const point = z.tuple([number, number]);
const status = z.enum(["partial", "complete"]);
const milliseconds = section({ medianMs: number, p95Ms: number, minMs: number, maxMs: number, numCalls: count });

const settings = section({
  numStepsList: z.array(count),
  deployedSteps: count,
  seed: count,
  device: text,
  precision: text,
  dataset: section({
    root: text,
    episodes: z.array(count),
    numObservations: count,
    numNoises: count,
    referenceSteps: count.optional(),
    pathSteps: count.optional(),
    remarks: z.array(text).optional(),
  }).optional(),
  environment: section({ id: text, numEpisodes: count, numActionSteps: count }).optional(),
  versions: z.record(text, text),
});

const offlineRow = section({
  policy: text,
  numSteps: count,
  self: agreement,
  teacher: agreement,
  noiseExplainedInterval: interval.optional(),
  deployed: agreement.optional(),
  executed: agreement,
  errorPerDimension: z.array(number),
  modes: section({
    betweenModes: number,
    referenceBetweenModes: number,
    numMultimodal: count,
    totalVariation: number.optional(),
    entropyDifference: number.optional(),
  }),
  betweenModesBeyondTeacher: interval.optional(),
  energyDistance: split.optional(),
  slicedWasserstein: split.optional(),
});

const flow = section({
  policy: text,
  straightness: number,
  cost: number,
  energy: number,
  perFlowCost: number.optional(),
  perDrawnCost: number.optional(),
  lengthRatio: number.optional(),
  angleDegrees: number.optional(),
  initialVelocityDelta: number,
  identity: section({
    loss: number,
    straightness: number,
    costBefore: number,
    costAfter: number,
    costDrop: number,
    excess: number,
    excessShare: number.optional(),
  }).optional(),
  velocityDeviation: z.array(section({ time: number, mean: number, low: number, high: number })),
  paths: section({ times: z.array(number), points: z.array(z.array(point)) }),
});

const summary = section({
  numEpisodes: count,
  numSuccesses: count,
  success: interval.optional(),
  meanSumReward: number.optional(),
  meanMaxReward: number.optional(),
  meanLength: number.optional(),
  modes: z.record(text, count),
  numUndecidedModes: count,
  entropy: section({
    numCounted: count,
    entropy: number.optional(),
    corrected: number.optional(),
    ceiling: number.optional(),
  }).optional(),
  roughness: number.optional(),
  boundaryJump: number.optional(),
});

const closedLoopRow = section({
  policy: text,
  numSteps: count,
  status,
  summary,
  against: section({
    both: count,
    neither: count,
    onlyFirst: count,
    onlySecond: count,
    difference: number.optional(),
    pValue: number,
    differenceInterval: interval.optional(),
    entropyShare: number.optional(),
    entropyShareInterval: interval.optional(),
    modeDistance: section({ totalVariation: number, byChance: number }).optional(),
    sameMode: number.optional(),
  }).optional(),
  latency: section({ total: milliseconds, parts: z.record(text, milliseconds) }).optional(),
  seconds: number,
  episodes: z.array(section({ index: count, seed: count, success: z.boolean(), length: count, mode: text })),
  routes: z.array(section({ success: z.boolean(), points: z.array(point) })),
  videos: z.array(text),
});

const COMPARISON = section({
  format: z.literal(COMPARISON_FORMAT),
  created: text,
  status,
  fingerprint: text.optional(),
  margins: section({ success: number, entropyShare: number, betweenModes: number }),
  settings,
  policies: z
    .array(
      section({ name: text, folder: text, round: count, isDistilled: z.boolean(), provenance: z.unknown().optional() }),
    )
    .min(1),
  offline: section({ rows: z.array(offlineRow), flows: z.array(flow), otherNoise: agreement }).optional(),
  closedLoop: section({ rows: z.array(closedLoopRow) }).optional(),
  verdicts: z.array(
    section({
      policy: text,
      numSteps: count,
      measure: z.enum(["success", "entropyShare", "betweenModes"]),
      value: number,
      bound: number,
      isMet: z.boolean(),
      isCertain: z.boolean().optional(),
    }),
  ),
});

/**
 * A comparison from its file, checked. What is more in the file than is known here stays in it.
 *
 * @throws CheckpointError naming the file, if it is missing, damaged, of another format, or speaks of policies that it does
 *   not list
 */
export async function readComparison(file: string): Promise<Comparison> {
  const json = await readJson(file, "reflow compare writes it");
  let comparison: Comparison;
  try {
    comparison = parseWithSchema(COMPARISON, json, file) as Comparison;
  } catch (error) {
    throw new CheckpointError(`${messageOf(error)}. Is this a comparison of reflow compare, of this version?`, {
      cause: error,
    });
  }
  const known = new Set(comparison.policies.map(({ name }) => name));
  const { offline, closedLoop, verdicts } = comparison;
  const named = [...(offline?.rows ?? []), ...(offline?.flows ?? []), ...(closedLoop?.rows ?? []), ...verdicts];
  const stranger = named.find(({ policy }) => !known.has(policy));
  if (stranger === undefined) return comparison;
  throw new CheckpointError(`${file}: expected rows of ${[...known].join(", ")} only, got one of "${stranger.policy}"`);
}
