import { z } from "zod";
import { ConfigError } from "../support/errors.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { camelKeys } from "../train/config-keys.js";
import type { SettingSpec } from "./command.js";
import { readSettings } from "./overrides.js";

const count = z.int().min(1);
const text = z.string().min(1);

const SCHEMA = z.strictObject({
  policy: z.strictObject({
    path: text.describe("policy, checkpoint or run folder, or Hub id"),
    num_steps: count.nullable().default(null).describe("Euler steps (the policy's own)"),
    n_action_steps: count
      .nullable()
      .default(null)
      .describe("actions of a chunk that are carried out before the next is predicted (the policy's own)"),
    device: text.nullable().default(null).describe("cpu, cuda, cuda:1, ... (the best there is)"),
  }),
  env: z
    .looseObject({ type: text.describe("avoiding") })
    .describe("the world and its options: image_size, camera, start_noise, tracking, upstream_lag, max_steps"),
  eval: z
    .strictObject({
      n_episodes: count.default(50).describe("episodes (50)"),
      batch_size: count.default(50).describe("episodes side by side on each thread (50)"),
      num_workers: count
        .max(64)
        .default(1)
        .describe("threads that drive episodes, each with the policy in its own memory; more pay on a CPU (1)"),
      max_episodes_rendered: z.int().min(0).default(10).describe("videos, of the first episodes; 0 for none (10)"),
      video_size: z
        .int()
        .min(16)
        .max(4096)
        .multipleOf(2, { error: ({ input }) => `expected an even number, got ${input}` })
        .default(384)
        .describe("edge of the videos' pictures in pixels, even (384)"),
    })
    .prefault({}),
  seed: z.int().min(0).default(1000).describe("of the first episode; the next ones have the next seeds (1000)"),
  precision: z.enum(["fp32", "bf16"]).default("fp32").describe("what the network computes in (fp32)"),
  latency_calls: z.int().min(0).default(50).describe("timed predictions for the latency; 0 for none (50)"),
  output_dir: text
    .nullable()
    .default(null)
    .describe("folder for eval_info.json and videos (outputs/eval/<date>/<time>_<env>)"),
  output_file: text
    .nullable()
    .default(null)
    .describe("file for eval_info.json instead, videos beside it in <name>_videos"),
  overwrite: z.boolean().default(false).describe("replace a complete evaluation; a partial one always is (false)"),
});

export type EvalJson = z.infer<typeof SCHEMA>;

/** What `reflow eval` was asked for. */
export interface EvalConfig {
  readonly policy: {
    readonly path: string;
    readonly numSteps: number | undefined;
    readonly nActionSteps: number | undefined;
    readonly device: string | undefined;
  };
  readonly environment: { readonly type: string; readonly options: Readonly<Record<string, unknown>> };
  readonly numEpisodes: number;
  readonly batchSize: number;
  /** threads that drive episodes */
  readonly numWorkers: number;
  /** videos, of the first episodes */
  readonly maxEpisodesRendered: number;
  readonly videoSize: number;
  readonly seed: number;
  readonly precision: "fp32" | "bf16";
  readonly latencyCalls: number;
  readonly outputDir: string | undefined;
  readonly outputFile: string | undefined;
  readonly overwrite: boolean;
}

/** @throws ConfigError naming everything that is wrong */
export async function readEvalSettings(args: readonly string[]): Promise<EvalConfig> {
  const { settings } = await readSettings(args);
  const json = parseWithSchema(SCHEMA, settings, "evaluation settings");
  if (json.seed > Number.MAX_SAFE_INTEGER - (json.eval.n_episodes - 1)) {
    throw new ConfigError("evaluation settings", [
      {
        path: "seed",
        message: `expected one that leaves room for ${json.eval.n_episodes} seeds below 2^53, got ${json.seed}`,
      },
    ]);
  }
  const { type, ...options } = json.env;
  return {
    policy: camelKeys(json.policy),
    environment: { type, options: camelKeys(options) as Readonly<Record<string, unknown>> },
    numEpisodes: json.eval.n_episodes,
    batchSize: json.eval.batch_size,
    numWorkers: json.eval.num_workers,
    maxEpisodesRendered: json.eval.max_episodes_rendered,
    videoSize: json.eval.video_size,
    seed: json.seed,
    precision: json.precision,
    latencyCalls: json.latency_calls,
    outputDir: json.output_dir ?? undefined,
    outputFile: json.output_file ?? undefined,
    overwrite: json.overwrite,
  };
}

/** The settings that the command's help lists. */
export const EVAL_SETTINGS: readonly SettingSpec[] = [
  ...Object.entries(SCHEMA.shape.policy.shape).map(([name, field]) => [`policy.${name}`, field] as const),
  ["env.type", SCHEMA.shape.env.shape.type] as const,
  ...Object.entries(SCHEMA.shape.eval.def.innerType.shape).map(([name, field]) => [`eval.${name}`, field] as const),
  ...Object.entries(SCHEMA.shape).filter(([name]) => !["policy", "env", "eval"].includes(name)),
].map(([name, field]) => ({ name: name as string, description: (field as z.ZodType).description ?? "" }));
