import { isDeepStrictEqual } from "node:util";
import { findPolicyFolder } from "../../policy/find-policy-folder.js";
import { readProvenance } from "../../policy/provenance.js";
import { parseSmolVLAConfig, toSmolVLAJson } from "../../smolvla/config.js";
import { CheckpointError, ConfigError, type ConfigProblem, HubError, isUserError } from "../../support/errors.js";
import { policyOverrides, type TrainConfig } from "../../train/config.js";
import { conflictsWithTeacher, isNetworkField, mayDifferFromTeacher } from "../../train/config-policy-fields.js";
import { withTrainingPreset } from "../../train/config-preset.js";
import { readConfigs } from "../../train/policy-configs.js";
import type { Stage } from "./plan-stages.js";

type Json = Readonly<Record<string, unknown>>;

/** A policy that a stage will give, as far as it is known before it is trained. */
interface Expected {
  /** its `config.json` */
  readonly fields: Json;
  /** which rectified flow it is */
  readonly k: number;
}

const WHERE = "pipeline";

/**
 * Follows the policies' configurations through all stages before any is trained: whether the first stage's start is there,
 * whether each stage can start from the one before it, and whether its optimizer's settings can be used.
 *
 * @returns configuration and k of each stage's policy, in order
 * @throws ConfigError, CheckpointError or HubError with the stage's name
 */
export async function checkChain(stages: readonly Stage[]): Promise<readonly Expected[]> {
  const chain: Expected[] = [];
  const problems: ConfigProblem[] = [];
  for (const stage of stages) {
    try {
      const start = stage.isChained ? chain.at(-1)! : await firstStart(stage.config);
      chain.push(await follow(stage, start));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw named(error, stage);
      problems.push(...error.problems.map((problem) => ofPolicy(problem, stage, error.message)));
      chain.push({ fields: chain.at(-1)?.fields ?? {}, k: chain.at(-1)?.k ?? 1 });
      if (!stage.isChained) break; // nothing is known about the others
    }
  }
  if (problems.length > 0) throw new ConfigError(WHERE, problems);
  return chain;
}

/** A problem of a stage's policy: some readers name its fields alone, others as settings. */
function ofPolicy({ path, message }: ConfigProblem, { name }: Stage, whole: string): ConfigProblem {
  if (path === "") return { path: `stages.${name}`, message: whole };
  return { path: `stages.${name}.policy.${path.replace(/^policy\./, "")}`, message };
}

/** An error about a folder or a download, with the stage's name. */
function named(error: unknown, { name }: Stage): unknown {
  if (!isUserError(error)) return error;
  const message = `${WHERE} at stages.${name}: ${error.message}`;
  if (!(error instanceof HubError)) return new CheckpointError(message, { cause: error });
  const { status, url } = error;
  return new HubError(message, {
    ...(status === undefined ? {} : { status }),
    ...(url === undefined ? {} : { url }),
    cause: error,
  });
}

/** What the first stage starts from. */
async function firstStart(config: TrainConfig): Promise<Expected> {
  const { useReflow, teacherModelPath, path, pretrainedPath } = config.policy;
  const given = useReflow ? teacherModelPath : (path ?? pretrainedPath);
  if (given === undefined) return { fields: { type: "smolvla" }, k: 0 };
  const folder = await findPolicyFolder(given);
  const { own } = await readConfigs(folder, config);
  return { fields: own, k: (await readProvenance(folder))?.k ?? 1 };
}

/** What a stage makes of what it starts from. */
async function follow(stage: Stage, start: Expected): Promise<Expected> {
  const { config, kind, isChained } = stage;
  const { studentInit, path, pretrainedPath, fields: overrides } = config.policy;
  const conflicts: ConfigProblem[] = [];
  let { fields } = start;
  if (kind === "flow_matching") {
    if (isChained) conflicts.push(...otherNetwork(overrides, fields));
  } else if ((path ?? pretrainedPath) !== undefined) {
    ({ own: fields } = await readConfigs(await findPolicyFolder((path ?? pretrainedPath)!), config));
  } else {
    conflicts.push(
      ...conflictsWithTeacher(overrides, fields, studentInit === "teacher" ? () => false : isNetworkField),
    );
  }
  if (conflicts.length > 0) throw new ConfigError(WHERE, conflicts);
  const merged = parseSmolVLAConfig({ ...fields, ...policyOverrides(config) }, "policy");
  const sharesModel = (path ?? pretrainedPath) === undefined && studentInit !== "random";
  if (kind !== "flow_matching" && sharesModel && !merged.trainExpertOnly) {
    const message =
      "expected true for this student, got false: teacher and student share one vision-language model, which stays as it is";
    throw new ConfigError(WHERE, [{ path: "policy.train_expert_only", message }]);
  }
  const json = JSON.parse(toSmolVLAJson(merged)) as Json;
  withTrainingPreset(config, json, kind === "flow_matching" ? undefined : start.k);
  return { fields: json, k: kind === "flow_matching" ? 1 : kind === "reflow" ? start.k + 1 : start.k };
}

/** Flow-matching stages go on with the same network, so that all stages can be compared. */
const otherNetwork = (overrides: Json, fields: Json): ConfigProblem[] =>
  Object.entries(overrides)
    .filter(([name, value]) => !mayDifferFromTeacher(name) && !isDeepStrictEqual(value, fields[name]))
    .map(([name, value]) => ({
      path: `policy.${name}`,
      message: `expected ${JSON.stringify(fields[name])} as in the stage before, got ${JSON.stringify(value)}. Set it for the first stage`,
    }));
