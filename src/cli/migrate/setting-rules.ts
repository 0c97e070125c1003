import { OBSOLETE_WITH_REFLOW } from "./obsolete-flags.js";
import { certainValue, type SettingArg } from "./setting-args.js";

/** What becomes of the settings of an old training command. Settings that no rule names stay as they are. */

/** Names that a setting had in earlier versions, or has at the top level of a program for reflow. */
export const RENAMED: Readonly<Record<string, string>> = {
  dataset_repo_id: "dataset.repo_id",
  // LeRobot kept these outside of the policy until March 2025.
  device: "policy.device",
  use_amp: "policy.use_amp",
  teacher_model_path: "policy.teacher_model_path",
  use_reflow: "policy.use_reflow",
  reflow_num_inference_steps: "policy.reflow_num_inference_steps",
  "reflow.time.share_at_noise": "reflow.time.share_at_atoms",
};

/** What is known of the command whose settings are judged. */
export interface RuleContext {
  /** whether the student begins as its teacher's copy; undefined if that is known only when the script runs */
  readonly copiesTeacher: boolean | undefined;
  readonly has: (name: string) => boolean;
}

export type Verdict =
  | { readonly kind: "remove"; readonly because: string }
  | { readonly kind: "rename"; readonly to: string }
  | { readonly kind: "keep"; readonly because?: string };

const remove = (because: string): Verdict => ({ kind: "remove", because });

function judgeObsolete(setting: SettingArg, { copiesTeacher }: RuleContext): Verdict | undefined {
  const rule = OBSOLETE_WITH_REFLOW.find(({ name }) => setting.name === `policy.${name}`);
  if (rule === undefined || certainValue(setting) !== rule.value) return undefined;
  if (copiesTeacher) return remove(`not needed with reflow: ${rule.because}`);
  const because =
    copiesTeacher === undefined ? "only reflow can do without it" : "only a reflow student can do without it";
  return { kind: "keep", because };
}

/** What becomes of one setting. */
export function judgeSetting(setting: SettingArg, context: RuleContext): Verdict {
  const { name } = setting;
  const obsolete = judgeObsolete(setting, context);
  if (obsolete) return obsolete;
  const to = Object.hasOwn(RENAMED, name) ? RENAMED[name] : undefined;
  if (to !== undefined) return context.has(to) ? remove(`--${to} is given as well`) : { kind: "rename", to };
  if (name === "dataset.local_files_only") {
    return remove(
      "a dataset that is there is not downloaded; --dataset.root names its folder, HF_HUB_OFFLINE=1 forbids downloads",
    );
  }
  if (name === "dataset.streaming" && certainValue(setting) === true) {
    return remove("datasets are downloaded first and read from a folder");
  }
  if (name === "env" || name.startsWith("env.")) {
    return remove("there is no simulation during training; evaluate the saved checkpoints instead");
  }
  if (name === "policy.type" && context.has("policy.path") && context.copiesTeacher === false) {
    return remove("--policy.path says already what kind of policy it is");
  }
  if (name === "policy.repo_id" && !context.has("policy.push_to_hub")) {
    return {
      kind: "keep",
      because: "LeRobot uploads unless told not to; add --policy.push_to_hub=true to upload here too",
    };
  }
  return { kind: "keep" };
}
