/** What the training run of a student says of itself, in LeRobot's `train_config.json`, whoever wrote it. */
import { type Check, fault, ok, skipped } from "../check.js";
import { entryAt, type Patient } from "../patient.js";

const NO_RECORD = "the student has no train_config.json";

const numberAt = ({ training }: Patient, ...paths: readonly string[]): number | undefined =>
  paths.map((path) => entryAt(training, path)).find((value): value is number => typeof value === "number");

/** The peak of the rate that was used; undefined if the run does not say. */
export const peakRateOf = (patient: Patient): number | undefined =>
  entryAt(patient.training, "use_policy_training_preset") === false
    ? numberAt(patient, "optimizer.lr", "policy.optimizer_lr")
    : numberAt(patient, "policy.optimizer_lr", "optimizer.lr");

/** Whether a run names its own schedule, or that it has none; otherwise the policy's presets say. */
const hasSchedule = ({ training }: Patient): boolean =>
  isEntry(entryAt(training, "scheduler")) || entryAt(training, "use_policy_training_preset") === false;

const isEntry = (value: unknown): boolean => value !== undefined && value !== null;

export const learningRate: Check = {
  id: "learning-rate",
  title: "The learning rate does not rise at the end",
  needs: ["student"],
  after: ["student-files"],
  run: ({ student }) => {
    if (student!.training === undefined) return skipped(NO_RECORD);
    const [peak, last] = hasSchedule(student!)
      ? [numberAt(student!, "scheduler.peak_lr"), numberAt(student!, "scheduler.decay_lr")]
      : [numberAt(student!, "policy.optimizer_lr"), numberAt(student!, "policy.scheduler_decay_lr")];
    if (peak === undefined || last === undefined) return skipped("its train_config.json holds no cosine schedule");
    return last > peak
      ? fault(
          `the "decay" goes from ${peak} up to ${last}`,
          "Give scheduler_decay_lr at most optimizer_lr, and train again: the policy's last steps had its largest rate",
        )
      : ok(`from ${peak} to ${last}`);
  },
};

export const augmentation: Check = {
  id: "augmentation",
  title: "The student saw the images that its teacher was asked about",
  needs: ["student"],
  after: ["student-files"],
  run: ({ student }) => {
    if (student!.training === undefined) return skipped(NO_RECORD);
    return entryAt(student!.training, "dataset.image_transforms.enable") === true
      ? fault(
          "dataset.image_transforms.enable is true in its train_config.json",
          "Switch image transforms off for reflow: a pair belongs to one image, and the student must see that image",
        )
      : ok("no image transforms");
  },
};
