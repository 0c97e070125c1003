/** Weights that are kept in 16 bits lose updates that are smaller than their spacing. */
import { join } from "node:path";
import { toCheckpointName } from "../../smolvla/checkpoint-names.js";
import { WEIGHTS_FILE } from "../../smolvla/load.js";
import { isTrainable } from "../../smolvla/trainable.js";
import { readSafetensorsHeader } from "../../support/safetensors.js";
import { eq, noGrad, scope, sum, toDtype } from "../../torch/index.js";
import { type Check, fault, figure, ok, percent, skipped } from "../check.js";
import { peakRateOf } from "./training-record.js";
import { weightsOf } from "./weights.js";

/** Of the weights in 16 bits; a run that learns moves most of them. */
const MOST = 0.5;

export const frozenWeights: Check = {
  id: "frozen-weights",
  title: "No trained weight stayed as it was because it is kept in 16 bits",
  needs: ["student", "student network", "teacher network"],
  after: ["student-weights", "teacher-weights", "student-features", "lineage", "learnt"],
  run: async ({ teacher, student }) => {
    if (student!.report === undefined) return skipped("the student is an adapter, whose weights are corrections");
    const { entries } = await readSafetensorsHeader(join(student!.folder, WEIGHTS_FILE));
    const [mine, theirs] = [weightsOf(student!), weightsOf(teacher)];
    const kept: { readonly size: number; readonly numKept: number }[] = [];
    for (const [name, weight] of mine) {
      const dtype = entries.get(toCheckpointName(name))?.dtype;
      const other = theirs.get(name);
      if (dtype !== "bfloat16" && dtype !== "float16") continue;
      if (!isTrainable(name, student!.config!) || other?.shape.join() !== weight.shape.join()) continue;
      kept.push({
        size: weight.numElements,
        numKept: noGrad(() => scope(() => sum(eq(toDtype(weight, dtype), toDtype(other!, dtype)), "float32").item())),
      });
    }
    if (kept.length === 0) return ok("all trained weights are stored in 32 bits");
    // A tensor that is the teacher's whole may not have been trained, as beside an adapter; if all are, they were.
    const touched = kept.filter(({ size, numKept }) => numKept < size);
    const looked = touched.length > 0 ? touched : kept;
    const numShort = looked.reduce((total, { size }) => total + size, 0);
    const share = looked.reduce((total, { numKept }) => total + numKept, 0) / numShort;
    const rate = peakRateOf(student!);
    const evidence = `${percent(share)} of ${figure(numShort)} trained weights in 16 bits are the teacher's still`;
    return share > MOST
      ? fault(
          `${evidence}${rate === undefined ? "" : ` (learning rate ${rate})`}`,
          "Updates below half of a weight's spacing (a 256th of it in bfloat16) are rounded away and never add up. Train with " +
            "float32 masters, as `reflow train` does in either precision, or with a larger learning rate",
        )
      : ok(evidence);
  },
};
