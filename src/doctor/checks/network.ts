/** Whether the network computes the same thing in whatever way it is asked. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { euler, solve } from "../../flow/index.js";
import { resolveFolder } from "../../hub/resolve-folder.js";
import type { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import { WEIGHTS_FILE } from "../../smolvla/load.js";
import { isUserError } from "../../support/errors.js";
import { readSafetensorsHeader } from "../../support/safetensors.js";
import { detach, enableGrad, full, noGrad, scope } from "../../torch/index.js";
import { type Check, fault, figure, ok, warning } from "../check.js";
import type { Examination } from "../examination.js";
import type { Json, Patient } from "../patient.js";
import { AFTER_FOLDERS } from "./order.js";

const NUM_ROWS = 2;

/** Both ways to a velocity, on the first rows of what there is to see: with the graph that training records, and deployed. */
function velocities(
  examination: Examination,
  policy: SmolVLAPolicy,
): Record<"training" | "deployed" | "again", number[]> {
  return scope(() => {
    const observation = firstRows(examination, policy);
    const { model, device } = policy;
    const input = examination.input(policy, observation);
    const noise = examination.noise(policy, input.state.size(0));
    const time = full([noise.size(0)], 0.7, "float32", undefined, device);
    const deployed = (): number[] => noGrad(() => model.velocity(model.encodePrefix(input), noise, time)).toNumbers();
    const training = enableGrad(() => {
      const context = noGrad(() => model.encodeContext(input));
      return detach(model.velocity(model.extendContext(context, input.state), noise, time));
    });
    return { training: training.toNumbers(), deployed: deployed(), again: deployed() };
  });
}

const firstRows = (examination: Examination, policy: SmolVLAPolicy) => {
  const { arrays, tasks } = examination.anyObservation(policy);
  const rows = Math.min(NUM_ROWS, tasks.length);
  const cut = Object.entries(arrays).map(([name, array]) => {
    const size = array.data.length / tasks.length;
    return [name, { ...array, shape: [rows, ...array.shape.slice(1)], data: array.data.slice(0, rows * size) }];
  });
  return { arrays: Object.fromEntries(cut), tasks: tasks.slice(0, rows) };
};

/** Rounding of float32, along two ways through vectorised kernels. */
const TOLERANCE = 1e-4;

export const forwardPaths: Check = {
  id: "forward-paths",
  title: "The forward pass of training and cached inference give the same velocity",
  needs: ["teacher network"],
  after: [...AFTER_FOLDERS, "noise-intact"],
  run: (examination) => {
    for (const { policy, role } of examination.patients) {
      if (policy === undefined) continue;
      const { training, deployed, again } = velocities(examination, policy);
      const largest = Math.max(...deployed.map(Math.abs));
      const furthest = Math.max(...training.map((value, i) => Math.abs(value - deployed[i]!)));
      const difference = furthest === 0 ? 0 : furthest / largest; // a network of zeros agrees with itself
      if (!(difference <= TOLERANCE) || deployed.some((value, i) => value !== again[i])) {
        return fault(
          `the ${role}'s velocities differ by ${figure(difference)} of the largest`,
          "The two should agree to rounding. Please report this, with the policy's config.json",
        );
      }
    }
    return ok("equal to rounding, and to the bit when asked again");
  },
};

export const modes: Check = {
  id: "modes",
  title: "Nothing behaves differently in training and evaluation mode",
  needs: ["teacher network"],
  after: ["teacher-files"],
  run: async ({ patients }) => {
    for (const patient of patients) {
      if (patient.policy === undefined) continue;
      const dropout = await dropoutOf(patient);
      if (dropout.length > 0) {
        return warning(
          `${dropout.join(", ")} in the vision-language model of the ${patient.role}`,
          "Dropout is not applied here, but other programs do so while they train, so that teacher and student see different " +
            "features. Set it to 0 in the model's config.json",
        );
      }
    }
    return ok("no dropout in the vision-language model's configuration, and no running statistics among the weights");
  },
};

/** Settings of the vision-language model that drop features at random, with their values. */
async function dropoutOf({ policy }: Patient): Promise<string[]> {
  try {
    const folder = await resolveFolder({
      nameOrPath: policy!.config.vlmModelName,
      kind: "model",
      besides: policy!.resourceFolders,
      files: ["config.json"],
    });
    return positiveDropouts(JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Json, "");
  } catch (error) {
    if (!isUserError(error)) throw error;
    return []; // the published model's, which is known without its file and has none
  }
}

const positiveDropouts = (json: Json, path: string): string[] =>
  Object.entries(json).flatMap(([name, value]) => {
    if (typeof value === "object" && value !== null) return positiveDropouts(value as Json, `${path}${name}.`);
    return /drop(out|_?path)/.test(name) && typeof value === "number" && value > 0 ? [`${path}${name} ${value}`] : [];
  });

export const numericTypes: Check = {
  id: "numeric-types",
  title: "Noise, state and velocity are float32, and no weight is stored in float16",
  needs: ["teacher network"],
  after: AFTER_FOLDERS,
  run: async (examination) => {
    const stored: string[] = [];
    for (const { folder, role, report } of examination.patients) {
      if (report === undefined) continue;
      const { entries } = await readSafetensorsHeader(join(folder, WEIGHTS_FILE));
      const dtypes = [...new Set([...entries.values()].map(({ dtype }) => dtype))];
      stored.push(`${role} stored in ${dtypes.join(" and ")}`);
      if (dtypes.includes("float16")) {
        return warning(
          stored.at(-1)!,
          "Float16 ends at 65,504, which activations of the prefix can pass. Store the policy in float32 or bfloat16",
        );
      }
    }
    const policy = examination.teacher.policy!;
    const computed = scope(() => {
      const input = examination.input(policy, firstRows(examination, policy));
      const noise = examination.noise(policy, input.state.size(0));
      const time = full([noise.size(0)], 1, "float32", undefined, policy.device);
      const velocity = noGrad(() => policy.model.velocity(policy.model.encodePrefix(input), noise, time));
      return { state: input.state.dtype, noise: noise.dtype, velocity: velocity.dtype };
    });
    const odd = Object.entries(computed).filter(([, dtype]) => dtype !== "float32");
    return odd.length === 0
      ? ok([...stored, "noise, state and velocity in float32"].join("; "))
      : fault(
          odd.map(([name, dtype]) => `${name} in ${dtype}`).join(", "),
          "Please report this, with the policy's config.json",
        );
  },
};

export const noiseIntact: Check = {
  id: "noise-intact",
  title: "Sampling leaves the noise as it was drawn",
  needs: ["teacher network"],
  after: AFTER_FOLDERS,
  run: (examination) => {
    const policy = examination.teacher.policy!;
    return scope(() => {
      const input = examination.input(policy, firstRows(examination, policy));
      const noise = examination.noise(policy, input.state.size(0));
      const drawn = noise.toNumbers();
      const field = policy.velocityField(input);
      noGrad(() => solve(euler, field, noise, policy.config.numSteps));
      const isIntact = noise.toNumbers().every((value, i) => value === drawn[i]);
      return isIntact
        ? ok(`of ${drawn.length} numbers none was written to`)
        : fault("the noise is not what was drawn after a solve", "Please report this, with the policy's config.json");
    });
  },
};
