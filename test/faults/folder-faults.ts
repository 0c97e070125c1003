/** Folders that are wrong: each is a copy of a good one with one thing changed. */
import { rmSync, truncateSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import type { HostArray } from "../../src/support/host-array.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { TEACHER } from "../runs/training-run.js";
import {
  as,
  CONFIGS,
  editJson,
  editTensors,
  editText,
  mapEntries,
  NORMALIZER,
  removeStatistics,
  shiftStatistics,
  UNNORMALIZER,
} from "./edit-policy.js";
import type { Fault } from "./fault.js";

/** Copies that a fault may change. */
export interface Folders {
  readonly teacher: string;
  /** `pretrained_model` of a checkpoint, beside its `training_state` */
  readonly student: string;
  readonly dataset: string;
}

export interface FolderFault extends Fault {
  readonly who: "doctor";
  readonly inject: (folders: Folders) => void | Promise<void>;
  /** which folders the doctor is given, if not all three */
  readonly given?: readonly (keyof Folders)[];
}

const weights = (folder: string): string => join(folder, "model.safetensors");
const doctor = (
  fault: string,
  names: string,
  inject: FolderFault["inject"],
  given?: FolderFault["given"],
): FolderFault => ({ fault, who: "doctor", names, inject, ...(given ? { given } : {}) });

const NO_STUDENT = ["teacher", "dataset"] as const;

export const FOLDER_FAULTS: readonly FolderFault[] = [
  doctor("a teacher's weights are missing", "teacher-files", ({ teacher }) => rmSync(weights(teacher)), NO_STUDENT),
  doctor("a student's weights file is truncated", "student-files", ({ student }) =>
    truncateSync(weights(student), 100_000),
  ),
  doctor("a weight of the student is missing", "student-files", ({ student }) =>
    editTensors(weights(student), (name, tensor) => (name === "model.action_out_proj.bias" ? undefined : tensor)),
  ),
  doctor("a dataset's videos are missing", "dataset-files", ({ dataset }) =>
    rmSync(join(dataset, "videos"), { recursive: true }),
  ),
  doctor(
    "a teacher's processors were saved without statistics",
    "teacher-statistics",
    ({ teacher }) => removeStatistics(teacher),
    NO_STUDENT,
  ),
  doctor("a student's processors were made without a dataset", "student-statistics", ({ student }) =>
    removeStatistics(student),
  ),
  doctor("a student has other statistics than its teacher", "same-statistics", ({ student }) =>
    shiftStatistics(student),
  ),
  doctor(
    "a teacher's statistics are not those of its data",
    "dataset-statistics",
    ({ teacher }) => shiftStatistics(teacher),
    NO_STUDENT,
  ),
  doctor(
    "an entry of the data deviates by nothing but rounding, which it is divided by",
    "normalised-size",
    async ({ teacher, dataset }) => {
      for (const file of [NORMALIZER, UNNORMALIZER]) {
        await editTensors(join(teacher, file), (name, tensor) =>
          name === "action.std" ? mapEntries(tensor, (value, i) => (i === 1 ? 0 : value)) : tensor,
        );
      }
      editJson(join(dataset, "meta/stats.json"), (json) => {
        (json.action as { std: number[] }).std[1] = 0;
      });
    },
    NO_STUDENT,
  ),
  doctor("a student normalises by other statistics (MIN_MAX beside MEAN_STD)", "normalization-modes", ({ student }) => {
    for (const file of CONFIGS) editText(join(student, file), "MEAN_STD", "MIN_MAX");
  }),
  doctor(
    "config.json says another normalisation than the processors have",
    "normalization-modes",
    ({ teacher }) => editText(join(teacher, "config.json"), "MEAN_STD", "MIN_MAX"),
    NO_STUDENT,
  ),
  doctor("a student reads its cameras in another order", "student-features", ({ student }) =>
    editJson(join(student, "config.json"), (json) => {
      const { "observation.images.top": top, ...others } = json.input_features as Record<string, unknown>;
      json.input_features = { ...others, "observation.images.top": top };
    }),
  ),
  doctor("a student predicts chunks of another length", "student-features", ({ student }) =>
    editJson(join(student, "config.json"), (json) => {
      json.chunk_size = 8;
    }),
  ),
  doctor("a student's network reads time on another scale", "student-settings", ({ student }) =>
    editJson(join(student, "config.json"), (json) => {
      json.max_period = 8;
    }),
  ),
  doctor(
    "a policy is shown cameras that it never saw",
    "dataset-features",
    ({ teacher }) => {
      for (const file of CONFIGS.slice(0, 2)) {
        editText(join(teacher, file), /images\.(top|wrist)/g, "images.$1_front");
      }
    },
    NO_STUDENT,
  ),
  doctor(
    "adapt_to_pi_aloha is set for another robot",
    "aloha",
    ({ teacher }) => editText(join(teacher, "config.json"), '"adapt_to_pi_aloha": false', '"adapt_to_pi_aloha": true'),
    NO_STUDENT,
  ),
  doctor("adapt_to_pi_aloha is set in the student alone", "aloha", ({ student }) =>
    editText(join(student, "config.json"), '"adapt_to_pi_aloha": false', '"adapt_to_pi_aloha": true'),
  ),
  doctor("a student resizes images to another size", "images", ({ student }) =>
    editJson(join(student, "config.json"), (json) => {
      json.resize_imgs_with_padding = [64, 32];
    }),
  ),
  doctor(
    "images are normalised before the network maps them to [-1, 1]",
    "images",
    ({ teacher }) => {
      for (const file of CONFIGS) editText(join(teacher, file), '"VISUAL": "IDENTITY"', '"VISUAL": "MEAN_STD"');
    },
    NO_STUDENT,
  ),
  doctor("a student's tasks do not end in a newline", "language", ({ student }) =>
    editJson(join(student, "policy_preprocessor.json"), (json) => {
      const steps = json.steps as { registry_name: string }[];
      json.steps = steps.filter(({ registry_name: name }) => name !== "smolvla_new_line_processor");
    }),
  ),
  doctor("a student's tasks are cut at another length", "language", ({ student }) =>
    editText(join(student, "policy_preprocessor.json"), '"max_length": 24', '"max_length": 4'),
  ),
  doctor("a padding mask has a name that nobody reads", "pad-mask", ({ dataset }) =>
    editJson(join(dataset, "meta/info.json"), (json) => {
      (json.features as Record<string, unknown>).actions_is_pad = { dtype: "string", shape: [1], names: null };
    }),
  ),
  doctor("a student's teacher was another policy, such as itself", "lineage", ({ student }) =>
    editJson(join(student, "reflow.json"), (json) => {
      (json.teacher as Record<string, unknown>).weightsSha256 = "0".repeat(64);
    }),
  ),
  doctor("a policy is compared with itself", "lineage", () => {}, ["teacher", "teacher", "dataset"]),
  doctor("a policy is run with more actions of a chunk than believed", "deployment", ({ student }) =>
    editText(join(student, "config.json"), '"n_action_steps": 5', '"n_action_steps": 10'),
  ),
  doctor("a student that was distilled to one step is asked for ten", "trained-times", ({ student }) =>
    editJson(join(student, "reflow.json"), (json) => {
      Object.assign(json.time as object, { atoms: [1], shareAtAtoms: 1 });
    }),
  ),
  doctor("a student of one step was never trained at time 1", "trained-times", ({ student }) => {
    editText(join(student, "config.json"), '"num_steps": 10', '"num_steps": 1');
    editJson(join(student, "reflow.json"), (json) => {
      Object.assign(json.time as object, { atoms: [0.5], shareAtAtoms: 1 });
    });
  }),
  doctor("a student of one step was seldom trained near time 1", "trained-times", ({ student }) => {
    editText(join(student, "config.json"), '"num_steps": 10', '"num_steps": 1');
    editJson(join(student, "reflow.json"), (json) => {
      Object.assign(json.time as object, { law: "logit_normal", shareAtAtoms: 0 });
    });
  }),
  doctor('a learning rate "decays" upwards', "learning-rate", ({ student }) =>
    editJson(join(student, "train_config.json"), (json) => {
      Object.assign(json.scheduler as object, { peak_lr: 1e-7, decay_lr: 2.5e-6 });
    }),
  ),
  doctor("a student saw other images than its teacher was asked about", "augmentation", ({ student }) =>
    editJson(join(student, "train_config.json"), (json) => {
      const { image_transforms: transforms } = json.dataset as { image_transforms: Record<string, unknown> };
      transforms.enable = true;
    }),
  ),
  doctor(
    "a teacher's weights are not numbers",
    "teacher-weights",
    ({ teacher }) =>
      editTensors(weights(teacher), (name, tensor) =>
        name === "model.action_in_proj.bias"
          ? mapEntries(tensor, (value, i) => (i === 3 ? Number.NaN : value))
          : tensor,
      ),
    NO_STUDENT,
  ),
  doctor("a student's weights left the range of float16", "student-weights", ({ student }) =>
    editTensors(weights(student), (name, tensor) =>
      as(name === "model.action_in_proj.bias" ? mapEntries(tensor, (value) => value * 1e9) : tensor, "float16"),
    ),
  ),
  doctor("a student is stored in float16", "numeric-types", ({ student }) =>
    editTensors(weights(student), (_, tensor) => as(tensor, "float16")),
  ),
  doctor("a student has its teacher's weights still", "learnt", ({ student }) =>
    cp(weights(TEACHER), weights(student)),
  ),
  doctor("updates were rounded away, in weights of 16 bits without masters", "frozen-weights", async ({ student }) => {
    const teacher = await readSafetensors(weights(TEACHER));
    await editTensors(weights(student), (name, tensor) =>
      name.includes(".lm_expert.") ? as(teacher.get(name)!, "bfloat16") : tensor,
    );
  }),
  doctor(
    "noise filled the robot's own dimensions alone, and weight decay touched the others",
    "noise-width",
    async ({ student }) => {
      await cp(weights(TEACHER), weights(student));
      await editTensors(weights(student), (name, tensor) => {
        const [, width] = tensor.shape as [number, number];
        return name === "model.action_in_proj.weight"
          ? mapEntries(tensor, (value, i) => value * (i % width < 3 ? 1 + 0.01 * Math.sin(i) : 0.9999))
          : tensor;
      });
    },
  ),
  doctor("a moving average is so slow that it is the teacher", "averaging", ({ student }) =>
    editJson(join(student, "train_config.json"), (json) => {
      json.ema = { enable: true, decay: 0.9999 };
    }),
  ),
  doctor("a moving average was not saved", "averaging", async ({ student }) => {
    await cp(weights(student), join(student, "../training_state/reflow_trained_weights.safetensors"));
    editJson(join(student, "reflow.json"), (json) => {
      json.ema = { decay: 0.99 };
    });
  }),
  doctor(
    "other programs drop features at random in training",
    "modes",
    ({ teacher }) =>
      editText(join(teacher, "../base-vlm/config.json"), '"attention_dropout": 0.0', '"attention_dropout": 0.1'),
    NO_STUDENT,
  ),
  doctor(
    "a teacher was not trained",
    "teacher-trained",
    ({ teacher }) =>
      editTensors(weights(teacher), (name, tensor) =>
        name.startsWith("model.action_out_proj.") ? mapEntries(tensor, (value) => value / 50) : tensor,
      ),
    NO_STUDENT,
  ),
  doctor(
    "a teacher's last layer is all zeros",
    "teacher-trained",
    ({ teacher }) =>
      editTensors(weights(teacher), (name, tensor) =>
        name.startsWith("model.action_out_proj.") ? mapEntries(tensor, () => 0) : tensor,
      ),
    NO_STUDENT,
  ),
  doctor(
    "a teacher's velocities point the other way",
    "teacher-time",
    ({ teacher }) =>
      editTensors(weights(teacher), (name, tensor) =>
        name.startsWith("model.action_out_proj.") ? mapEntries(tensor, (value) => -value) : tensor,
      ),
    NO_STUDENT,
  ),
  doctor(
    "a teacher's output in padded dimensions was never trained",
    "padded-output",
    ({ teacher }) =>
      editTensors(weights(teacher), (name, tensor) => {
        if (name !== "model.action_out_proj.weight") return tensor;
        const [, width] = tensor.shape as [number, number];
        return mapEntries(tensor, (value, i) => (i < 3 * width ? value : Math.sin(i) / Math.sqrt(width)));
      }),
    NO_STUDENT,
  ),
  doctor(
    "a teacher takes a single step",
    "teacher-steps",
    ({ teacher }) => editText(join(teacher, "config.json"), '"num_steps": 10', '"num_steps": 1'),
    NO_STUDENT,
  ),
  doctor("a student hardly depends on its noise", "noise-response", async ({ teacher, student }) => {
    // A teacher that leaves a third of the noise in real dimensions, beside a policy that takes nearly all of it out.
    const isReal = (i: number, { shape: [, width = 1] }: HostArray): boolean => i < 3 * width;
    const scaled = (path: string, factors: { readonly real: number; readonly padded: number }) =>
      editTensors(path, (name, tensor) =>
        name.startsWith("model.action_out_proj.")
          ? mapEntries(tensor, (value, i) => value * (isReal(i, tensor) ? factors.real : factors.padded))
          : tensor,
      );
    await scaled(weights(teacher), { real: 0.65, padded: 1 });
    await cp(weights(TEACHER), weights(student));
    await scaled(weights(student), { real: 1, padded: 1.001 });
    rmSync(join(student, "reflow.json"));
  }),
  doctor("pairs were made with a single step", "pair-steps", ({ student }) =>
    editJson(join(student, "reflow.json"), (json) => {
      (json.pairs as Record<string, unknown>).numSteps = 1;
    }),
  ),
];
