/** What a reflow run trains: a copy of its teacher, a fresh expert on the teacher's model, or a network of its own. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { resolveFolder } from "../hub/resolve-folder.js";
import { findPolicyFolder } from "../policy/find-policy-folder.js";
import { statisticsHash } from "../policy/processors/statistics.js";
import { findPolicyResources } from "../policy/resources.js";
import { buildOptions, SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { actionDim, parseSmolVLAConfig, type SmolVLAConfig } from "../smolvla/config.js";
import { drawInitialExpert, initializeSmolVLA, WEIGHTS_FILE } from "../smolvla/load.js";
import { deriveSeed } from "../support/derive-seed.js";
import { CheckpointError, ConfigError } from "../support/errors.js";
import { Generator } from "../torch/index.js";
import { policyOverrides, type TrainConfig } from "./config.js";
import { conflictsWithTeacher, isNetworkField } from "./config-policy-fields.js";
import { sawRealNoiseAlone } from "./padded-noise.js";
import { loadOptions, readConfigs } from "./policy-configs.js";

export interface Student {
  readonly policy: SmolVLAPolicy;
  /** whether it looks through the teacher's own vision-language model, which then is in memory once */
  readonly sharesContext: boolean;
  /** the folder whose weights it starts with; undefined for new ones */
  readonly startFolder: string | undefined;
  /** what a user should know about it, as sentences; nothing if left out */
  readonly warnings?: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The student of a teacher, with the teacher's processors and statistics.
 *
 * @param teacherFields the teacher's `config.json`
 * @throws ConfigError, CheckpointError for a student that cannot learn from this teacher
 */
export async function makeStudent(
  config: TrainConfig,
  teacher: SmolVLAPolicy,
  teacherFolder: string,
  teacherFields: Json,
  seed: number,
): Promise<Student> {
  const { studentInit, path, pretrainedPath } = config.policy;
  const start = path ?? pretrainedPath;
  if (start !== undefined) {
    const folder = await findPolicyFolder(start);
    if (folder !== teacherFolder) return loadedStudent(config, teacher, folder);
  }
  const mayDiffer = studentInit === "teacher" ? () => false : isNetworkField;
  const conflicts = conflictsWithTeacher(config.policy.fields, teacherFields, mayDiffer);
  if (conflicts.length > 0) throw new ConfigError("training config", conflicts);
  // A copy shares its teacher's vision-language model, however that was trained.
  const shared = studentInit === "teacher" ? { train_expert_only: true } : {};
  const fields = { ...teacherFields, ...shared, ...policyOverrides(config) };
  const merged = parseSmolVLAConfig(fields, join(teacherFolder, "config.json"));
  if (studentInit === "teacher") {
    expectFrozenModel(merged);
    const policy = teacher.with({ model: teacher.model.withCopiedExpert(merged), config: merged });
    return { policy, sharesContext: true, startFolder: teacherFolder };
  }
  using generator = new Generator(deriveSeed(seed, "initial weights"));
  const isOtherModel = Object.keys(config.policy.fields).some(
    (name) => isModelField(name) && config.policy.fields[name] !== teacherFields[name],
  );
  if (studentInit === "vlm" && !isOtherModel) {
    expectFrozenModel(merged);
    const build = { ...teacher, config: merged };
    const model = teacher.model.withExpert(drawInitialExpert(build, generator), merged);
    return { policy: teacher.with({ model, config: merged }), sharesContext: true, startFolder: undefined };
  }
  return { policy: await newStudent(config, teacher, merged, generator), sharesContext: false, startFolder: undefined };
}

/** Fields of the vision-language model itself. */
const isModelField = (name: string): boolean => name === "vlm_model_name" || name === "num_vlm_layers";

function expectFrozenModel({ trainExpertOnly }: SmolVLAConfig): void {
  if (trainExpertOnly) return;
  throw new ConfigError("training config", [
    {
      path: "policy.train_expert_only",
      message:
        "expected true for this student, got false: teacher and student share one vision-language model, which stays as it is",
    },
  ]);
}

/** A student with a network and a vision-language model of its own, drawn or with the base model's weights. */
async function newStudent(
  config: TrainConfig,
  teacher: SmolVLAPolicy,
  merged: SmolVLAConfig,
  generator: Generator,
): Promise<SmolVLAPolicy> {
  const { processors, resourceFolders } = teacher;
  const resources = await findPolicyResources(merged, processors, resourceFolders);
  const build = buildOptions(merged, resources, { ...loadOptions(config), device: teacher.device });
  const base =
    config.policy.studentInit === "vlm"
      ? await resolveFolder({
          nameOrPath: merged.vlmModelName,
          kind: "model",
          besides: resourceFolders,
          files: [WEIGHTS_FILE],
        })
      : undefined;
  const model = await initializeSmolVLA(build, generator, base);
  return new SmolVLAPolicy({ ...build, ...resources, model, processors, resourceFolders });
}

/** A student that was trained before, of any size, with the teacher's features and processors. */
async function loadedStudent(config: TrainConfig, teacher: SmolVLAPolicy, folder: string): Promise<Student> {
  const { merged } = await readConfigs(folder, config);
  const loaded = await SmolVLAPolicy.load(folder, { ...loadOptions(config), config: merged });
  try {
    await expectSameTask(loaded, teacher, folder);
  } catch (error) {
    loaded.dispose();
    throw error;
  }
  // Relative names in the processors are the teacher's.
  const resourceFolders = [...new Set([...loaded.resourceFolders, ...teacher.resourceFolders])];
  const policy = loaded.with({ processors: teacher.processors, resourceFolders });
  const warnings: string[] = [];
  if (hashOf(loaded) !== hashOf(teacher)) {
    warnings.push(
      `the student in ${folder} was trained with other statistics than its teacher's, which it has from now on: at first it ` +
        "reads states and means actions in units that it does not know",
    );
  }
  if (sawRealNoiseAlone(loaded, teacher)) {
    warnings.push(
      `the student in ${folder} was trained with noise in the robot's own action dimensions alone: its weights for noise in all ` +
        "others are its teacher's still. It does not know the noise that policies are given, which shakes its actions. " +
        "Train it long enough, or begin with its teacher",
    );
  }
  return { policy, sharesContext: false, startFolder: folder, warnings };
}

const hashOf = ({ processors: { preprocessor, postprocessor } }: SmolVLAPolicy): string =>
  statisticsHash([preprocessor, postprocessor]);

/** Noise and actions of teacher and student are the same tensors, and both read the same batches. */
async function expectSameTask(student: SmolVLAPolicy, teacher: SmolVLAPolicy, folder: string): Promise<void> {
  const [mine, theirs] = await Promise.all([taskFacts(student), taskFacts(teacher)]);
  const differing = Object.keys(mine).filter((name) => mine[name] !== theirs[name]);
  if (differing.length === 0) return;
  throw new CheckpointError(
    `reflow: expected a student with its teacher's features and action shape, got in ${folder}: ` +
      differing.map((name) => `${name} ${mine[name]} (the teacher's: ${theirs[name]})`).join("; ") +
      ". Give a student that reads and acts alike; its layers and widths may differ",
  );
}

const taskFacts = async ({ config, tokenizerFolder }: SmolVLAPolicy): Promise<Json> => ({
  chunk_size: config.chunkSize,
  max_action_dim: config.maxActionDim,
  "real action dimensions": actionDim(config),
  "input features": Object.keys(config.inputFeatures).sort().join(", "),
  "output features": Object.keys(config.outputFeatures).sort().join(", "),
  adapt_to_pi_aloha: config.adaptToPiAloha,
  vocabulary: createHash("sha256")
    .update(await readFile(join(tokenizerFolder, "tokenizer.json")))
    .digest("hex")
    .slice(0, 12),
});
