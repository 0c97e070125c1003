import { join } from "node:path";
import { ConfigError, type ConfigProblem } from "../../support/errors.js";
import { CHECKPOINTS, checkpointName, POLICY_FOLDER } from "../../train/checkpoint.js";
import { parseTrainConfig, type TrainConfig } from "../../train/config.js";
import { mayDifferFromTeacher } from "../../train/config-policy-fields.js";
import { TRAIN_SCHEMA } from "../../train/config-schema.js";
import { isMapping, mergeSettings, type Settings } from "../overrides.js";
import type { StageKind } from "./pipeline-schema.js";
import type { PipelineRequest, StageRequest } from "./read-pipeline.js";

/** A stage with complete settings: an ordinary training run. */
export interface Stage {
  readonly name: string;
  readonly kind: StageKind;
  /** `<NN>-<name>`, in the pipeline's folder */
  readonly folderName: string;
  readonly config: TrainConfig;
  readonly warnings: readonly string[];
  /** whether it starts from the stage before it */
  readonly isChained: boolean;
  /** where its policy will lie when it is done */
  readonly resultFolder: string;
}

/** Share of episodes that every stage leaves out, if nothing is said. */
const HELD_OUT_SHARE = 0.05;

/** What the pipeline decides, by where it must not be given. */
const NEVER = ["resume", "checkpoint_path", "policy.use_reflow", "reflow.stage"];
const NOT_IN_STAGES = ["output_dir", "overwrite", "dataset", "rename_map", "held_out.share"];
const NOT_IN_CHAINED_STAGES = ["policy.type", "policy.pretrained_path", "policy.teacher_model_path"];

const REASONS: Readonly<Record<string, string>> = {
  resume: "The same command continues a pipeline by itself",
  checkpoint_path: "The same command continues a pipeline by itself",
  "policy.use_reflow": "The stage's kind decides",
  "reflow.stage": "The stage's kind decides",
  output_dir: "A stage's folder lies in the pipeline's",
  overwrite: "It is a setting of the whole pipeline",
  dataset: "All stages learn from the same dataset and leave out the same episodes",
  rename_map: "All stages learn from the same dataset",
  "held_out.share": "All stages leave out the same episodes",
  "policy.type": "The stage starts from the one before it",
  "policy.path": "The stage starts from the one before it",
  "policy.pretrained_path": "The stage starts from the one before it",
  "policy.teacher_model_path": "The stage before it is its teacher",
};

const valueAt = (settings: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((value, name) => (isMapping(value) ? value[name] : undefined), settings);

const refusals = (settings: Settings, paths: readonly string[], prefix = ""): ConfigProblem[] =>
  paths
    .filter((path) => valueAt(settings, path) !== undefined)
    .map((path) => ({
      path: prefix + path,
      message: `expected nothing, got ${JSON.stringify(valueAt(settings, path))}. ${REASONS[path]}`,
    }));

/**
 * The stages of a pipeline as training runs. Settings that only fit one kind of run, or only a policy that is new, are
 * taken from the common ones where they fit.
 *
 * @throws ConfigError with the problems of all stages at once, each with the stage's name
 */
export function planStages(request: PipelineRequest): readonly Stage[] {
  const { common, stages, outputDir } = request;
  const problems = refusals(common, NEVER);
  for (const [i, stage] of stages.entries()) problems.push(...orderProblems(stages, i), ...misplaced(stage, i));
  const ofCommon = new Map<string, { readonly problem: ConfigProblem; readonly names: string[] }>();
  const planned: Stage[] = [];
  let before: string | undefined;
  for (const [i, stage] of stages.entries()) {
    const folderName = `${String(i + 1).padStart(2, "0")}-${stage.name}`;
    try {
      planned.push(planStage(request, stage, i, folderName, before));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const { path, message } of error.problems) {
        if (valueAt(stage.own, path) !== undefined) problems.push({ path: `stages.${stage.name}.${path}`, message });
        else {
          const key = JSON.stringify([path, message]);
          const { names } = ofCommon.get(key) ?? { names: [] };
          ofCommon.set(key, { problem: { path, message }, names: [...names, stage.name] });
        }
      }
    }
    before = planned.at(-1)?.folderName === folderName ? planned.at(-1)!.resultFolder : join(outputDir, folderName);
  }
  for (const { problem, names } of ofCommon.values()) {
    const where = names.length > 1 && names.length === stages.length ? "" : ` (in ${listed(names)})`;
    problems.push({ path: problem.path, message: problem.message + where });
  }
  if (problems.length === 0) problems.push(...sharedRepositories(planned));
  if (problems.length > 0) throw new ConfigError("pipeline", problems);
  return planned;
}

const listed = (names: readonly string[]): string => `stage${names.length > 1 ? "s" : ""} ${names.join(", ")}`;

function orderProblems(stages: readonly StageRequest[], i: number): ConfigProblem[] {
  const before = stages[i - 1];
  if (stages[i]!.kind !== "flow_matching" || before === undefined || before.kind === "flow_matching") return [];
  return [
    {
      path: `stages.${stages[i]!.name}.kind`,
      message: `expected reflow or distill after ${before.name} (${before.kind}), got flow_matching. It would undo the straightening`,
    },
  ];
}

function misplaced({ name, kind, own }: StageRequest, i: number): ConfigProblem[] {
  // A student of another size may begin as a policy of its own.
  const chained = kind === "flow_matching" ? [...NOT_IN_CHAINED_STAGES, "policy.path"] : NOT_IN_CHAINED_STAGES;
  const problems = refusals(own, [...NEVER, ...NOT_IN_STAGES, ...(i > 0 ? chained : [])], `stages.${name}.`);
  if (own.save_checkpoint !== false) return problems;
  return [
    ...problems,
    {
      path: `stages.${name}.save_checkpoint`,
      message: "expected true, got false. A stage's last checkpoint is its result",
    },
  ];
}

function planStage(
  { common, outputDir }: PipelineRequest,
  { name, kind, own }: StageRequest,
  i: number,
  folderName: string,
  before: string | undefined,
): Stage {
  const given = mergeSettings(inheritedSettings(common, kind, i), own);
  const decided = { ...derivedSettings(given, kind, before), output_dir: join(outputDir, folderName) };
  const { config, warnings } = parseTrainConfig(mergeSettings(given, decided));
  const unfit: ConfigProblem[] = [];
  if (!config.saveCheckpoint) {
    unfit.push({
      path: "save_checkpoint",
      message: "expected true, got false. A stage's last checkpoint is its result",
    });
  }
  if (config.evalFreq === 0) {
    const message = "expected at least 1, got 0. A run that measures nothing leaves no episodes out for the comparison";
    unfit.push({ path: "eval_freq", message });
  }
  if (before !== undefined && kind !== "flow_matching" && config.reflow.pairs !== undefined) {
    const message =
      `expected nothing, got ${JSON.stringify(config.reflow.pairs)}. Stored pairs belong to a teacher that exists, and this ` +
      "stage's is yet to be trained";
    unfit.push({ path: "reflow.pairs", message });
  }
  if (config.peft !== undefined) {
    const message =
      "expected nothing, got settings of an adapter. A stage's result is a whole policy, which the next starts from";
    unfit.push({ path: "peft", message });
  }
  if (unfit.length > 0) throw new ConfigError("pipeline", unfit);
  return {
    name,
    kind,
    folderName,
    config,
    warnings,
    isChained: before !== undefined,
    resultFolder: join(config.outputDir, CHECKPOINTS, checkpointName(config.steps, config.steps), POLICY_FOLDER),
  };
}

/** The common settings as far as they concern a stage. */
function inheritedSettings(common: Settings, kind: StageKind, i: number): Settings {
  const { [kind === "flow_matching" ? "reflow" : "flow_matching"]: _, ...settings } = common;
  const { seed = TRAIN_SCHEMA.shape.seed.parse(undefined), policy, held_out: heldOut } = common;
  const share = isMapping(heldOut) ? (heldOut.share ?? HELD_OUT_SHARE) : HELD_OUT_SHARE;
  return {
    ...settings,
    // Else every round would draw the frames, noises and times of the one before.
    seed: typeof seed === "number" ? seed + i : seed,
    held_out: heldOut === undefined || isMapping(heldOut) ? { ...heldOut, share } : heldOut,
    ...(isMapping(policy)
      ? { policy: Object.fromEntries(Object.entries(policy).filter(([name]) => isInherited(name, kind, i > 0))) }
      : {}),
  };
}

const OF_REFLOW = ["reflow_num_inference_steps", "student_init"];
const OF_FIRST_STAGE = ["type", "path", "pretrained_path", "teacher_model_path", "vlm_model_name", "load_vlm_weights"];

/** Whether a common setting of the policy concerns a stage; later ones have the network of the first. */
function isInherited(name: string, kind: StageKind, isChained: boolean): boolean {
  if (OF_REFLOW.includes(name)) return kind !== "flow_matching";
  if (!isChained) return true;
  if (name === "train_expert_only") return kind === "flow_matching";
  return mayDifferFromTeacher(name) && !OF_FIRST_STAGE.includes(name);
}

/** What follows from a stage's kind and place. */
function derivedSettings({ policy }: Settings, kind: StageKind, before: string | undefined): Settings {
  if (kind === "flow_matching") return before === undefined ? {} : { policy: { path: before } };
  const given = isMapping(policy) ? policy : {};
  // A student on its teacher's vision-language model leaves that as it is, whatever its teacher's own training did.
  const sharesModel = (given.path ?? null) === null && given.student_init !== "random";
  const isOpen = before !== undefined && sharesModel && given.train_expert_only === undefined;
  return {
    policy: {
      use_reflow: true,
      ...(before === undefined ? {} : { teacher_model_path: before }),
      ...(isOpen ? { train_expert_only: true } : {}),
    },
    reflow: { stage: kind },
  };
}

/** Stages that would upload over each other. */
function sharedRepositories(stages: readonly Stage[]): ConfigProblem[] {
  const pushed = stages.filter(({ config }) => config.policy.pushToHub);
  return pushed.flatMap(({ name, config: { policy } }, i) => {
    const first = pushed.findIndex((other) => other.config.policy.repoId === policy.repoId);
    if (first === i) return [];
    const message = `expected a repository of its own, got that of ${pushed[first]!.name} (${policy.repoId})`;
    return [{ path: `stages.${name}.policy.repo_id`, message }];
  });
}
