import { isTrainable } from "../../smolvla/trainable.js";
import {
  all,
  detach,
  eq,
  isfinite,
  noGrad,
  scope,
  square,
  sub,
  sum,
  type Tensor,
  toDevice,
  toDtype,
} from "../../torch/index.js";
import { type Check, fault, figure, type Outcome, ok } from "../check.js";
import type { Patient } from "../patient.js";

/** A loaded policy's weights by our names. */
export const weightsOf = ({ policy }: Patient): ReadonlyMap<string, Tensor> => new Map(policy!.model.namedParameters());

function finiteness(patient: Patient): Outcome {
  const weights = [...weightsOf(patient)];
  const odd = weights
    .filter(([, weight]) => noGrad(() => scope(() => all(isfinite(detach(weight))).item() === 0)))
    .map(([name]) => name);
  return odd.length === 0
    ? ok(`${weights.length} tensors`)
    : fault(
        `NaN or infinity in ${odd.length} tensors, first ${odd[0]}`,
        "The run diverged, or the weights left the range of float16 (65,504). Take an earlier checkpoint, in float32 or bfloat16",
      );
}

export const teacherWeights: Check = {
  id: "teacher-weights",
  title: "The teacher's weights are numbers",
  needs: ["teacher network"],
  after: ["teacher-files"],
  run: ({ teacher }) => finiteness(teacher),
};

export const studentWeights: Check = {
  id: "student-weights",
  title: "The student's weights are numbers",
  needs: ["student", "student network"],
  after: ["student-files"],
  run: ({ student }) => finiteness(student!),
};

/** Of the weights' size: one update of a usual learning rate moves them by a thousandth. */
const NO_MOVEMENT = 1e-5;

export const learnt: Check = {
  id: "learnt",
  title: "The student's weights have left its teacher's",
  needs: ["student", "student network", "teacher network"],
  after: ["student-weights", "teacher-weights", "lineage", "student-features"],
  run: ({ teacher, student }) => {
    const theirs = weightsOf(teacher);
    let [moved, size, numChanged, numCompared] = [0, 0, 0, 0];
    for (const [name, weight] of weightsOf(student!)) {
      const other = theirs.get(name);
      if (!isTrainable(name, student!.config!) || other?.shape.join() !== weight.shape.join()) continue;
      const [distance, norm, isSame] = compare(weight, other);
      moved += distance;
      size += norm;
      numCompared += 1;
      if (!isSame) numChanged += 1;
    }
    if (numCompared === 0) return ok("another network than its teacher's");
    const share = Math.sqrt(moved / size);
    const evidence = `${numChanged} of ${numCompared} trained tensors differ, by ${figure(share)} of their size together`;
    if (student!.provenance?.step === 0) return ok(`${evidence}; a checkpoint from before the first step`);
    return share < NO_MOVEMENT
      ? fault(
          evidence,
          "The student is its teacher. Look at the learning rate (reflow lr-sweep), at what was trained, and at which checkpoint this is",
        )
      : ok(evidence);
  },
};

/** Squared distance and size, and whether all entries are equal. */
function compare(weight: Tensor, other: Tensor): [distance: number, size: number, isSame: boolean] {
  return noGrad(() =>
    scope(() => {
      const [mine, theirs] = [weight, other].map((x) => toDtype(detach(x), "float32")) as [Tensor, Tensor];
      const near = toDevice(theirs, mine.device);
      return [sum(square(sub(mine, near))).item(), sum(square(near)).item(), all(eq(mine, near)).item() === 1];
    }),
  );
}
