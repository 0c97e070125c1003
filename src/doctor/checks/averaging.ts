import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { toCheckpointName } from "../../smolvla/checkpoint-names.js";
import { isUserError } from "../../support/errors.js";
import { readJson } from "../../support/read-json.js";
import { all as allOf, eq, mapSafetensors, noGrad, scope, toDtype } from "../../torch/index.js";
import { type Check, fault, ok, percent, skipped } from "../check.js";
import { entryAt, type Json, type Patient } from "../patient.js";
import { weightsOf } from "./weights.js";

/** What an average may still hold of where it began. */
const MUCH = 0.2;

export const averaging: Check = {
  id: "averaging",
  title: "A moving average of the weights is the policy, and has left where it began",
  needs: ["student", "student network"],
  after: ["student-weights", "lineage"],
  run: async ({ student }) => {
    const own = student!.provenance?.ema?.decay;
    const other =
      entryAt(student!.training, "ema.enable") === true ? entryAt(student!.training, "ema.decay") : undefined;
    const state = join(dirname(student!.folder), "training_state");
    const step = student!.provenance?.step ?? (await stepOf(state));
    if (own === undefined && typeof other !== "number") return skipped("no moving average is recorded");
    if (own !== undefined && (step ?? 0) > 0 && (await isTrainedItself(student!, join(state, TRAINED_FILE)))) {
      return fault(
        `reflow.json says an average with decay ${own}, but the policy holds the trained weights themselves`,
        "The average was not saved. Take the checkpoint as `reflow train` wrote it",
      );
    }
    if (own !== undefined) return ok(`decay ${own}, with a ramp that leaves the start quickly`);
    if (step === undefined) return skipped("how long it was trained is not recorded");
    const beside = join(dirname(student!.folder), "pretrained_model_ema");
    if (existsSync(beside) && basename(student!.folder) !== basename(beside)) {
      return ok(`these are the trained weights themselves; their average lies beside them in ${beside}`);
    }
    const rest = (other as number) ** step;
    const evidence = `decay ${other} without a ramp holds ${percent(rest)} of the start after ${step} steps`;
    return rest > MUCH
      ? fault(
          evidence,
          "What is deployed is nearly the teacher. Use a smaller decay (ema.decay=0.999), or train longer",
        )
      : ok(evidence);
  },
};

const TRAINED_FILE = "reflow_trained_weights.safetensors";

async function stepOf(stateFolder: string): Promise<number | undefined> {
  try {
    const { step } = (await readJson(join(stateFolder, "training_step.json"))) as Json;
    return typeof step === "number" ? step : undefined;
  } catch (error) {
    if (!isUserError(error)) throw error;
    return undefined;
  }
}

/** Whether a policy is what was trained, to the last bit, where it should be its average. */
async function isTrainedItself(student: Patient, path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  const policy = new Map([...weightsOf(student)].map(([name, weight]) => [toCheckpointName(name), weight]));
  const trained = await mapSafetensors(path);
  const isEqual = (name: string): boolean => {
    const weight = policy.get(name);
    if (weight === undefined) return true; // an adapter's, which the policy holds merged
    return noGrad(() =>
      scope(() => allOf(eq(toDtype(weight, "float32"), toDtype(trained.get(name)!, "float32"))).item() === 1),
    );
  };
  const known = [...trained.keys()].filter((name) => policy.has(name));
  const result = known.length > 0 && known.every(isEqual);
  for (const tensor of trained.values()) tensor.dispose();
  return result;
}
