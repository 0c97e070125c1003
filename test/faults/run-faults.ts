/** Runs that must not begin, or must not go on. */
import { join } from "node:path";
import { constantPad, slice, toDtype, zeros } from "../../src/torch/index.js";
import type { Pairs } from "../../src/train/couplings/coupling.js";
import { CONFIGS, editTensors, editText, mapEntries, NORMALIZER, removeStatistics } from "./edit-policy.js";
import type { Fault } from "./fault.js";

/** A teacher's folder that is spoilt before a run begins with it. */
export interface TeacherFault extends Fault {
  readonly spoil: (teacher: string) => void | Promise<void>;
}

const weights = (folder: string): string => join(folder, "model.safetensors");

export const TEACHER_FAULTS: readonly TeacherFault[] = [
  {
    fault: "a run's teacher has no statistics",
    who: "gate",
    names: "the processors of the policy to start from have no statistics",
    spoil: removeStatistics,
  },
  {
    fault: "a run's teacher has statistics of another normalisation",
    who: "gate",
    names: "observation.state.min for MIN_MAX",
    spoil: async (teacher) => {
      for (const file of CONFIGS) editText(join(teacher, file), "MEAN_STD", "MIN_MAX");
      await editTensors(join(teacher, NORMALIZER), (name, tensor) => (/\.(min|max)$/.test(name) ? undefined : tensor));
    },
  },
  {
    fault: "a run's teacher has weights that are not numbers",
    who: "gate",
    names: "expected finite actions",
    spoil: (teacher) =>
      editTensors(weights(teacher), (name, tensor) =>
        name === "model.action_out_proj.bias" ? mapEntries(tensor, () => Number.NaN) : tensor,
      ),
  },
];

/** What is done to the pairs of a run. */
export interface PairFault extends Fault {
  readonly change: (pairs: Pairs) => Pairs;
}

export const PAIR_FAULTS: readonly PairFault[] = [
  {
    fault: "pairs have noise in the robot's own dimensions alone",
    who: "gate",
    names: "expected noise in all 8 action dimensions",
    change: (pairs) => ({ ...pairs, noise: constantPad(slice(pairs.noise, -1, 0, 3), [0, 5], 0) }),
  },
  {
    fault: "pairs have noise that the solver has overwritten",
    who: "gate",
    names: "expected actions that a solver made of their noise",
    change: (pairs) => ({ ...pairs, noise: pairs.actions }),
  },
  {
    fault: "pairs were solved in bfloat16",
    who: "gate",
    names: "expected actions of pairs in float32",
    change: (pairs) => ({ ...pairs, actions: toDtype(pairs.actions, "bfloat16") }),
  },
  {
    fault: "generated chunks have a padding mask",
    who: "gate",
    names: "expected generated chunks without a padding mask",
    change: (pairs) => ({ ...pairs, isPad: zeros(pairs.noise.shape.slice(0, 2), "bool") }),
  },
];

/** What is done to the files of the untouched student, between saving and loading it again. */
export interface CopyFault extends Fault {
  readonly spoil: (student: string) => void | Promise<void>;
}

export const COPY_FAULTS: readonly CopyFault[] = [
  {
    fault: "a student is saved without its statistics",
    who: "gate",
    names: "the processors of the saved student have no statistics",
    spoil: removeStatistics,
  },
  {
    fault: "a student is saved with other statistics",
    who: "gate",
    names: "What differs: statistics of the preprocessor",
    spoil: (student) =>
      editTensors(join(student, NORMALIZER), (name, tensor) =>
        name === "observation.state.mean" ? mapEntries(tensor, (value) => value + 1) : tensor,
      ),
  },
  {
    fault: "a student is saved with another task length",
    who: "gate",
    names: "What differs: steps of the preprocessor",
    spoil: (student) => editText(join(student, "policy_preprocessor.json"), '"max_length": 24', '"max_length": 4'),
  },
  {
    fault: "a student is saved with other settings",
    who: "gate",
    names: "What differs: max_period of config.json (4 and 8)",
    spoil: (student) => editText(join(student, "config.json"), '"max_period": 4.0', '"max_period": 8.0'),
  },
  {
    fault: "a student is saved with other weights",
    who: "gate",
    names: "What differs: 1 weights (first: expert.actionOut.bias)",
    spoil: (student) =>
      editTensors(weights(student), (name, tensor) =>
        name === "model.action_out_proj.bias" ? mapEntries(tensor, (value) => value + 1) : tensor,
      ),
  },
];

/** Settings with which a run goes wrong. */
export interface SettingsFault extends Fault {
  readonly flags: readonly string[];
}

const rate = (peak: number): string[] => [`--policy.optimizer_lr=${peak}`, `--policy.scheduler_decay_lr=${peak}`];

export const SETTINGS_FAULTS: readonly SettingsFault[] = [
  {
    fault: "a learning rate is so small that updates are rounded away",
    who: "health",
    names: "% of the trained weights do not change at all",
    flags: [...rate(1e-9), "--steps=22"],
  },
  {
    fault: "a learning rate is so large that one update makes another network",
    who: "health",
    names: "one update changed the trained weights by",
    flags: [...rate(0.3), "--steps=2"],
  },
];
