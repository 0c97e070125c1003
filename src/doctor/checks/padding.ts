/** Action dimensions that the robot does not have: noise fills them too, and the network answers there too. */
import { euler, solve } from "../../flow/index.js";
import { actionDim } from "../../smolvla/config.js";
import type { HostArray } from "../../support/host-array.js";
import { noGrad, scope } from "../../torch/index.js";
import { sawRealNoiseAlone } from "../../train/padded-noise.js";
import { type Check, fault, figure, ok, skipped, warning } from "../check.js";
import { meanSquare } from "../examination.js";
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
            "others are the teacher's, to the bit",
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
    const changed = changedRows(weightsOf(student!).get(OUTPUT)!.toHost(), weightsOf(teacher).get(OUTPUT)!.toHost());
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

/** Rows in which two matrices differ; undefined if they cannot be compared. */
function changedRows(mine: HostArray, theirs: HostArray): number[] | undefined {
  if (mine.dtype !== theirs.dtype || mine.shape.join() !== theirs.shape.join()) return undefined;
  const [rows, width] = mine.shape as [number, number];
  const differs = (row: number): boolean => {
    for (let i = row * width; i < (row + 1) * width; i++) if (mine.data[i] !== theirs.data[i]) return true;
    return false;
  };
  return Array.from({ length: rows }, (_, row) => row).filter(differs);
}

/** Beside the size of real actions; trained output is nearly 0. */
const LARGE = 0.3;

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
    const evidence = `its samples are ${figure(ratio)} times as large there as in real dimensions`;
    return ratio > LARGE
      ? warning(
          evidence,
          "Its training left these dimensions out (LeRobot 0.5.1 and later): do not teach them to a student. Use " +
            "reflow.padded_dims=zero, and little weight on them (reflow.loss.padded_share)",
        )
      : ok(evidence);
  },
};
