/** Action dimensions that the robot does not have: noise fills them too, and the network answers there too. */
import { euler, solve } from "../../flow/index.js";
import { actionDim } from "../../smolvla/config.js";
import { noGrad, scope, type Tensor, toDtype } from "../../torch/index.js";
import { sawRealNoiseAlone } from "../../train/padded-noise.js";
import { type Check, fault, figure, ok, percent, skipped, warning } from "../check.js";
import { meanSquare } from "../examination.js";
import { noiseLeft } from "../noise-left.js";
import type { Patient } from "../patient.js";
import { AFTER_TEACHER } from "./order.js";
import { weightsOf } from "./weights.js";

const NO_PADDING = "all action dimensions are the robot's own";

const hasPadding = ({ config }: Patient): boolean => actionDim(config!) < config!.maxActionDim;

export const noiseWidth: Check = {
  id: "noise-width",
  title: "The student was trained with noise in all padded action dimensions",
  needs: ["student", "student network", "teacher network"],
  after: ["student-weights", "teacher-weights", "student-features", "learnt"],
  run: ({ teacher, student }) => {
    if (!hasPadding(teacher)) return ok(NO_PADDING);
    const { maxActionDim } = teacher.config!;
    const numReal = actionDim(teacher.config!);
    return sawRealNoiseAlone(student!.policy!, teacher.policy!)
      ? fault(
          `of action_in_proj, the columns of the ${numReal} real dimensions have changed and those of the ${maxActionDim - numReal} ` +
            "others are the teacher's still",
          "It has learnt from zeros where policies are given noise, which shakes its actions. Draw noise in the full width, for " +
            "teacher and student alike, and train again",
        )
      : ok(`not only columns of the ${numReal} real dimensions of ${maxActionDim} have changed, or none has`);
  },
};

const OUTPUT = "expert.actionOut.weight";

export const paddedLoss: Check = {
  id: "padded-loss",
  title: "The student was trained in the padded action dimensions that it is run with",
  needs: ["student", "student network", "teacher network"],
  after: ["student-weights", "teacher-weights", "student-features", "learnt"],
  run: ({ teacher, student }) => {
    if (!hasPadding(teacher)) return ok(NO_PADDING);
    const numReal = actionDim(teacher.config!);
    const changed = changedRows(weightsOf(student!).get(OUTPUT)!, weightsOf(teacher).get(OUTPUT)!);
    if (changed === undefined) return skipped("student and teacher are of different sizes");
    const isLeftOut = changed.length > 0 && changed.every((row) => row < numReal);
    const { numSteps } = student!.config!;
    const evidence = isLeftOut
      ? `of action_out_proj, only rows of the ${numReal} real dimensions have changed; num_steps is ${numSteps}`
      : "not only rows of the real dimensions have changed, or none has";
    return isLeftOut && numSteps > 1
      ? warning(
          evidence,
          "The loss left the others out, and from the second step on they feed back. Use num_steps=1, or train them too " +
            "(reflow.padded_dims=teacher or zero)",
        )
      : ok(evidence);
  },
};

/** Of a row's size, and more than rounding: what weight decay alone leaves of a row is the same row, a little shorter. */
const TURNED = 1e-5;

/** Rows in which two matrices differ by more than their length; undefined if they cannot be compared. */
function changedRows(mine: Tensor, theirs: Tensor): number[] | undefined {
  if (mine.shape.join() !== theirs.shape.join()) return undefined;
  const [rows, width] = mine.shape as [number, number];
  const [own, first] = [mine, theirs].map((weight) =>
    noGrad(() => scope(() => toDtype(weight, "float32").toNumbers())),
  ) as [number[], number[]];
  return Array.from({ length: rows }, (_, row) => row).filter((row) => {
    const [a, b] = [own, first].map((all) => all.slice(row * width, (row + 1) * width)) as [number[], number[]];
    const size = b.reduce((sum, x) => sum + x * x, 0);
    const decay = size > 0 ? Math.min(1, b.reduce((sum, x, i) => sum + x * a[i]!, 0) / size) : 1;
    return b.reduce((sum, x, i) => sum + (a[i]! - decay * x) ** 2, 0) > TURNED ** 2 * size;
  });
}

/** Beside the size of real actions; trained output is nearly 0. */
const LARGE = 0.3;
/** Beside the noise that is left in real dimensions: of a policy that was hardly trained at all, as much is left in both. */
const MORE = 2;

export const paddedOutput: Check = {
  id: "padded-output",
  title: "The teacher's output in padded action dimensions was trained towards 0",
  needs: ["dataset", "teacher network"],
  after: [...AFTER_TEACHER, "teacher-time"],
  run: (examination) => {
    const { policy, config } = examination.teacher;
    if (!hasPadding(examination.teacher)) return ok(NO_PADDING);
    const numReal = actionDim(config!);
    const [real, whole] = scope(() => {
      const field = examination.field(policy!);
      const actions = noGrad(() => solve(euler, field, examination.noise(policy!), config!.numSteps));
      return [meanSquare(actions, numReal), meanSquare(actions, config!.maxActionDim)];
    });
    const padded = (whole * config!.maxActionDim - real * numReal) / (config!.maxActionDim - numReal);
    const ratio = Math.sqrt(padded / real);
    const left = noiseLeft(examination);
    const evidence = `its samples are ${figure(ratio)} times as large there as in real dimensions, which hold ${percent(left)} of their noise`;
    return ratio > LARGE && Math.sqrt(padded) > MORE * left
      ? warning(
          evidence,
          "Its training left these dimensions out (LeRobot 0.5.1 and later): do not teach them to a student. Use " +
            "reflow.padded_dims=zero, and little weight on them (reflow.loss.padded_share)",
        )
      : ok(evidence);
  },
};
