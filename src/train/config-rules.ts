import { normalize, resolve } from "node:path";
import type { ConfigProblem } from "../support/errors.js";
import { risingDecayProblem } from "./config-preset.js";
import type { TrainJson } from "./config-schema.js";

/** What must fit together in the settings of a training run. */

type Fields = Readonly<Record<string, unknown>>;

const isSameFolder = (a: string, b: string): boolean =>
  normalize(a).replace(/\/$/, "") === normalize(b).replace(/\/$/, "");

const show = (value: unknown): string => (value === null || value === undefined ? "nothing" : JSON.stringify(value));

/** What is known elsewhere but not available here, each with its reason. */
function findUnavailable(json: TrainJson): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const refuse = (isRefused: boolean, path: string, message: string): void => {
    if (isRefused) problems.push({ path, message });
  };
  const { dataset, policy } = json;
  const { use_peft: usePeft } = policy as Fields;
  refuse(
    policy.type !== null && policy.type !== "smolvla",
    "policy.type",
    `expected "smolvla", got ${show(policy.type)}. Other policies cannot be trained here`,
  );
  refuse(
    dataset.streaming,
    "dataset.streaming",
    "expected false, got true. Datasets are read from a local folder; they are downloaded first",
  );
  refuse(
    dataset.image_transforms.enable,
    "dataset.image_transforms.enable",
    "expected false, got true. Random changes of the images during training are not available",
  );
  refuse(
    json.env !== null && json.env !== undefined,
    "env",
    `expected nothing, got ${show(json.env)}. Simulation during training is not available; evaluate the saved ` +
      "checkpoints instead",
  );
  refuse(
    usePeft === true,
    "policy.use_peft",
    "expected false, got true. It says that a policy folder is an adapter; to train one give --peft.r and other settings of peft",
  );
  refuse(json.use_rabc, "use_rabc", "expected false, got true. Weighting samples by progress (RA-BC) is not available");
  return problems;
}

/** Where the policy comes from. A run that continues has its policy in its checkpoint, whatever the settings say. */
function findPolicyProblems(json: TrainJson): ConfigProblem[] {
  const { policy, resume } = json;
  const problems: ConfigProblem[] = [];
  const refuse = (path: string, message: string): void => void problems.push({ path, message });
  const { path, type, pretrained_path: pretrained, teacher_model_path: teacher } = policy;
  if (policy.push_to_hub && policy.repo_id === null) {
    refuse("policy.repo_id", "expected the Hub id to upload to, got nothing. policy.push_to_hub=true needs it");
  }
  if (policy.push_to_hub && !json.save_checkpoint) {
    refuse(
      "save_checkpoint",
      "expected true beside policy.push_to_hub=true, got false. The last checkpoint is what is uploaded",
    );
  }
  if (policy.use_reflow && teacher === null) {
    refuse("policy.teacher_model_path", "expected the teacher's folder or Hub id, got nothing. Reflow needs a teacher");
  }
  if (resume) return problems;
  if (path !== null && pretrained !== null && !isSameFolder(path, pretrained)) {
    refuse("policy.pretrained_path", `expected policy.path (${show(path)}) or nothing, got ${show(pretrained)}`);
  }
  if (!policy.use_reflow) {
    if (path !== null && type !== null) {
      refuse(
        "policy.type",
        `expected nothing beside policy.path, got ${show(type)}. Give policy.path to train a policy further, or ` +
          "policy.type for a new one",
      );
    }
    if (path === null && type === null) {
      refuse("policy", "expected policy.path (train a policy further) or policy.type=smolvla (a new one), got neither");
    }
    return problems;
  }
  const start = path ?? pretrained;
  if (start !== null && teacher !== null && !isSameFolder(start, teacher) && policy.student_init !== "teacher") {
    refuse(
      "policy.student_init",
      `expected nothing beside a student of its own (${show(start)}), got ${show(policy.student_init)}. Give one of the two`,
    );
  }
  return problems;
}

function findScheduleProblems(json: TrainJson): ConfigProblem[] {
  const { optimizer, scheduler } = json;
  if (json.use_policy_training_preset && !json.resume) {
    const { optimizer_lr: peak, scheduler_decay_lr: decay } = json.policy as Fields;
    if (typeof peak !== "number" || typeof decay !== "number") return [];
    const problem = risingDecayProblem(
      { path: "policy.optimizer_lr", value: peak },
      { path: "policy.scheduler_decay_lr", value: decay },
    );
    return problem ? [problem] : [];
  }
  const problems: ConfigProblem[] = [];
  if (!json.use_policy_training_preset) {
    const message =
      "expected settings, got nothing. use_policy_training_preset=false needs both optimizer and scheduler";
    if (optimizer === null) problems.push({ path: "optimizer", message });
    if (scheduler === null) problems.push({ path: "scheduler", message });
  }
  const rising =
    scheduler &&
    risingDecayProblem(
      { path: "scheduler.peak_lr", value: scheduler.peak_lr },
      { path: "scheduler.decay_lr", value: scheduler.decay_lr },
    );
  if (rising) problems.push(rising);
  return problems;
}

/** Reflow settings that say two things at once. */
function findReflowProblems({ policy, reflow }: TrainJson): ConfigProblem[] {
  if (!policy.use_reflow) return [];
  const problems: ConfigProblem[] = [];
  const refuse = (isRefused: boolean, path: string, message: string): void => {
    if (isRefused) problems.push({ path, message });
  };
  const { pairs, pair_uses: uses, state_noise: noise } = reflow;
  if (pairs === null) return problems;
  refuse(
    uses !== 1,
    "reflow.pair_uses",
    `expected 1 beside reflow.pairs, got ${uses}. Stored pairs are used as often as their frames come`,
  );
  refuse(
    noise !== 0,
    "reflow.state_noise",
    `expected 0 beside reflow.pairs, got ${noise}. Stored pairs were made for the states as they were recorded`,
  );
  return problems;
}

/** What a run reads must not lie in the folder that it is told to replace. */
function findOverwritten({ overwrite, output_dir: outputDir, policy, dataset, reflow }: TrainJson): ConfigProblem[] {
  if (!overwrite || outputDir === null) return [];
  const isInside = (path: string): boolean => `${resolve(path)}/`.startsWith(`${resolve(outputDir)}/`);
  return Object.entries({
    "policy.path": policy.path,
    "policy.pretrained_path": policy.pretrained_path,
    "policy.teacher_model_path": policy.teacher_model_path,
    "reflow.pairs": reflow.pairs,
    "dataset.root": dataset.root,
  }).flatMap(([path, folder]) =>
    folder !== null && isInside(folder)
      ? [{ path, message: `expected a folder outside output_dir, which overwrite=true replaces, got ${show(folder)}` }]
      : [],
  );
}

/** Everything that does not fit together or is not available, all at once. */
export function findProblems(json: TrainJson): readonly ConfigProblem[] {
  const problems = [
    ...findUnavailable(json),
    ...findPolicyProblems(json),
    ...findScheduleProblems(json),
    ...findReflowProblems(json),
  ];
  if (json.dataset.repo_id === null && json.dataset.root === null && !json.resume) {
    problems.push({
      path: "dataset",
      message: "expected dataset.repo_id (a Hub id) or dataset.root (a folder), got neither",
    });
  }
  if (json.peft !== null && (json.policy as Fields).train_expert_only === false) {
    problems.push({
      path: "peft",
      message: "expected nothing beside policy.train_expert_only=false, got an adapter. It corrects the expert alone",
    });
  }
  if (json.health === "backoff" && !json.save_checkpoint) {
    problems.push({
      path: "save_checkpoint",
      message: "expected true beside health=backoff, got false. A run that goes back needs checkpoints to go back to",
    });
  }
  if (json.resume && json.overwrite) {
    problems.push({ path: "overwrite", message: "expected false beside resume=true, got true. Choose one of the two" });
  }
  problems.push(...findOverwritten(json));
  if (json.eval.batch_size > json.eval.n_episodes) {
    problems.push({
      path: "eval.batch_size",
      message: `expected at most eval.n_episodes (${json.eval.n_episodes}), got ${json.eval.batch_size}`,
    });
  }
  return problems;
}
