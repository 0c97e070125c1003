import { isMapping, type Settings } from "../overrides.js";

/** Settings that other reflow trainings needed and that a student here gets by itself, each with the reason. */
export const OBSOLETE_WITH_REFLOW: readonly {
  readonly name: string;
  readonly value: boolean;
  readonly because: string;
}[] = [
  {
    name: "load_vlm_weights",
    value: false,
    because: "all weights of the student come from its teacher, none from a base model",
  },
  {
    name: "train_expert_only",
    value: true,
    because: "the student shares its teacher's vision-language model, so only its action expert can be trained",
  },
];

/** Whether nested settings ask for a student that begins as a copy of its teacher. */
export function copiesTeacher({ policy }: Settings): boolean {
  if (!isMapping(policy) || policy.use_reflow !== true) return false;
  const { student_init: start = "teacher", path, pretrained_path: weights, teacher_model_path: teacher } = policy;
  const isOwn = (folder: unknown): boolean => folder !== undefined && folder !== null && folder !== teacher;
  return start === "teacher" && !isOwn(path) && !isOwn(weights);
}

/**
 * A sentence for each setting of a run that is right but not needed, because the run does so anyway.
 *
 * @param settings nested, as `readSettings` gives them, before defaults
 */
export function obsoleteFlags(settings: Settings): readonly string[] {
  const { policy } = settings;
  if (!isMapping(policy) || !copiesTeacher(settings)) return [];
  return OBSOLETE_WITH_REFLOW.filter(({ name, value }) => policy[name] === value).map(
    ({ name, value, because }) => `policy.${name}=${value} is not needed with reflow: ${because}`,
  );
}
