import { z } from "zod";
import type { Margins } from "../compare/comparison.js";
import { DEFAULT_MARGINS } from "../compare/judge.js";
import { ConfigError, type ConfigProblem } from "../support/errors.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { camelKeys } from "../train/config-keys.js";
import type { SettingSpec } from "./command.js";
import { readSettings } from "./overrides.js";

const WHERE = "comparison settings";

const count = z.int().min(1);
const text = z.string().min(1);
const share = z.number().min(0).max(1);

const SCHEMA = z.strictObject({
  policies: z
    .unknown()
    .optional()
    .describe(
      "the teacher, then what is compared with it: folders, runs, checkpoints or Hub ids, each as PATH or name=PATH",
    ),
  num_steps: z.unknown().optional().describe("numbers of Euler steps (1,2,3,5,10)"),
  deployed_steps: count.nullable().default(null).describe("Euler steps that the teacher is deployed with (its own)"),
  n_action_steps: count
    .nullable()
    .default(null)
    .describe("actions of a chunk that are carried out, by all policies (the teacher's own)"),
  dataset: z
    .strictObject({
      root: text.nullable().default(null).describe("LeRobot dataset that samples are compared on"),
      repo_id: text
        .nullable()
        .default(null)
        .describe("its name on the Hub, to load it from there or for a run to be recognised"),
      revision: text.nullable().default(null).describe("branch, tag or commit there"),
      episodes: z
        .array(z.int().min(0))
        .nullable()
        .default(null)
        .describe("episodes to take observations from (those that the policies' runs have held out)"),
    })
    .optional(),
  num_observations: count.default(256).describe("frames, spread evenly over those episodes (256)"),
  num_noises: z.int().min(2).default(16).describe("noises for each (16)"),
  reference_steps: count.default(100).describe("steps of Heun's method for flows that are solved well (100)"),
  path_steps: count.default(100).describe("Euler steps for the shape of paths, fewer make it too straight (100)"),
  chunks_at_once: count.default(64).describe("chunks that are computed side by side (64)"),
  env: z
    .looseObject({ type: text.describe("the world that policies are driven in: avoiding") })
    .optional()
    .describe("the world and its options"),
  eval: z
    .strictObject({
      n_episodes: count.default(100).describe("episodes of each policy and number of steps (100)"),
      batch_size: count.default(50).describe("episodes side by side on each thread (50)"),
      num_workers: count
        .max(64)
        .default(1)
        .describe("threads that drive episodes, each with the policy in its own memory; more pay on a CPU (1)"),
      max_episodes_rendered: z
        .int()
        .min(0)
        .default(2)
        .describe("videos of the first episodes of each policy and number of steps; 0 for none (2)"),
    })
    .prefault({}),
  latency_calls: z
    .int()
    .min(0)
    .default(50)
    .describe("timed predictions for the latency in closed loop; 0 for none (50)"),
  seed: z.int().min(0).default(1000).describe("of noises, and of the first episode (1000)"),
  device: text.nullable().default(null).describe("cpu, cuda, cuda:1, ... (the best there is)"),
  precision: z.enum(["fp32", "bf16"]).default("fp32").describe("what the networks compute in (fp32)"),
  margins: z
    .strictObject({
      success: share
        .default(DEFAULT_MARGINS.success)
        .describe(`success rate that a policy may lack (${DEFAULT_MARGINS.success})`),
      entropy_share: share
        .default(DEFAULT_MARGINS.entropyShare)
        .describe(`share of the teacher's entropy of ways that it may lack (${DEFAULT_MARGINS.entropyShare})`),
      between_modes: share
        .default(DEFAULT_MARGINS.betweenModes)
        .describe(
          `share of samples that it may have between modes beyond the teacher's (${DEFAULT_MARGINS.betweenModes})`,
        ),
    })
    .prefault({}),
  fail_on_verdict: z.boolean().default(false).describe("exit with 1 if a margin is missed (false)"),
  output_dir: text
    .nullable()
    .default(null)
    .describe("folder for comparison.json and the report (outputs/compare/<date>/<time>)"),
  overwrite: z.boolean().default(false).describe("measure anew in place of a comparison that is there (false)"),
  report: text.nullable().default(null).describe("file for the report page (report.html in the folder)"),
});

/** A policy as it was asked for. */
export interface PolicyPlace {
  /** undefined if none was given */
  readonly name: string | undefined;
  readonly nameOrPath: string;
}

/** What `reflow compare` was asked for. */
export interface CompareConfig {
  /** the first is the teacher */
  readonly policies: readonly PolicyPlace[];
  /** rising */
  readonly numStepsList: readonly number[];
  readonly deployedSteps: number | undefined;
  readonly nActionSteps: number | undefined;
  readonly dataset: CompareDataset | undefined;
  readonly numObservations: number;
  readonly numNoises: number;
  readonly referenceSteps: number;
  readonly pathSteps: number;
  readonly chunksAtOnce: number;
  readonly environment: { readonly type: string; readonly options: Readonly<Record<string, unknown>> } | undefined;
  readonly numEpisodes: number;
  readonly batchSize: number;
  /** threads that drive episodes */
  readonly numWorkers: number;
  /** of each policy and number of steps */
  readonly numVideos: number;
  readonly latencyCalls: number;
  readonly seed: number;
  readonly device: string | undefined;
  readonly precision: "fp32" | "bf16";
  readonly margins: Margins;
  readonly failOnVerdict: boolean;
  readonly outputDir: string | undefined;
  readonly overwrite: boolean;
  readonly reportFile: string | undefined;
}

/** `root` or `repoId` is given. */
export interface CompareDataset {
  readonly root: string | undefined;
  readonly repoId: string | undefined;
  readonly revision: string | undefined;
  readonly episodes: readonly number[] | undefined;
}

/** @throws ConfigError naming everything that is wrong */
export async function readCompareSettings(args: readonly string[]): Promise<CompareConfig> {
  const { settings } = await readSettings(args);
  const {
    policies,
    num_steps,
    dataset,
    env,
    eval: rollouts,
    margins,
    report,
    ...rest
  } = parseWithSchema(SCHEMA, settings, WHERE);
  const problems: ConfigProblem[] = [];
  const places = listOf(policies).map(placeOf);
  if (places.length === 0 || places.some(({ nameOrPath }) => nameOrPath === "")) {
    problems.push({
      path: "policies",
      message: `expected policies separated by commas, the teacher first, got ${show(policies)}`,
    });
  }
  const steps = listOf(num_steps ?? [1, 2, 3, 5, 10]).map(Number);
  if (steps.length === 0 || steps.some((n) => !Number.isSafeInteger(n) || n < 1)) {
    problems.push({
      path: "num_steps",
      message: `expected whole numbers of at least 1, such as 1,2,10, got ${show(num_steps)}`,
    });
  }
  const hasDataset = dataset !== undefined && (dataset.root ?? dataset.repo_id) !== null;
  if (dataset !== undefined && !hasDataset) {
    problems.push({ path: "dataset.root", message: "expected a dataset's folder, or dataset.repo_id, got neither" });
  } else if (!hasDataset && env === undefined) {
    problems.push({
      path: "",
      message:
        "expected a dataset to compare samples on (--dataset.root=DIR), a world to drive in (--env.type=avoiding), or both, got neither",
    });
  }
  if (!Number.isSafeInteger(rest.seed + rollouts.n_episodes)) {
    problems.push({
      path: "seed",
      message: `expected one that leaves room for the seeds of all episodes, got ${rest.seed}`,
    });
  }
  if (problems.length > 0) throw new ConfigError(WHERE, problems);
  const { type, ...options } = env ?? { type: "" };
  return {
    ...camelKeys(rest),
    policies: places,
    numStepsList: [...new Set(steps)].sort((a, b) => a - b),
    dataset: hasDataset ? camelKeys(dataset) : undefined,
    environment: env && { type, options: camelKeys(options) as Readonly<Record<string, unknown>> },
    numEpisodes: rollouts.n_episodes,
    batchSize: rollouts.batch_size,
    numWorkers: rollouts.num_workers,
    numVideos: rollouts.max_episodes_rendered,
    margins: camelKeys(margins),
    reportFile: report ?? undefined,
  };
}

const show = (value: unknown): string => (value === undefined ? "nothing" : JSON.stringify(value));

/** The entries of a list, of `a,b,c`, or the single value. */
function listOf(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  const entries = Array.isArray(value) ? (value as unknown[]) : String(value).split(",");
  return entries.map((entry) => String(entry).trim());
}

/** `name=PATH` or `PATH`. A name has no slash, so that a path with an equals sign further on is still a path. */
function placeOf(entry: string): PolicyPlace {
  const [, name, nameOrPath] = /^([A-Za-z0-9_.-]+)=(.+)$/.exec(entry) ?? [];
  return name === undefined ? { name: undefined, nameOrPath: entry } : { name, nameOrPath: nameOrPath! };
}

/** Settings of a section, with the section's name before theirs. */
const within = (name: string, shape: z.ZodRawShape): [string, z.ZodType][] =>
  Object.entries(shape).map(([key, field]) => [`${name}.${key}`, field as z.ZodType]);

/** The settings that the command's help lists. */
export const COMPARE_SETTINGS: readonly SettingSpec[] = Object.entries(SCHEMA.shape)
  .flatMap(([name, field]): [string, z.ZodType][] => {
    if (name === "dataset") return within(name, SCHEMA.shape.dataset.def.innerType.shape);
    if (name === "env") return within(name, SCHEMA.shape.env.def.innerType.shape);
    if (name === "eval") return within(name, SCHEMA.shape.eval.def.innerType.shape);
    if (name === "margins") return within(name, SCHEMA.shape.margins.def.innerType.shape);
    return [[name, field]];
  })
  .map(([name, field]) => ({ name, description: field.description ?? "" }));
