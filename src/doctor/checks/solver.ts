/** Whether a teacher's flow is solved with enough steps, where it is deployed and where it makes pairs. */
import { measureAgreement } from "../../eval/index.js";
import { euler, type Grid, gridByName, type Solver, solve, solverByName, uniformGrid } from "../../flow/index.js";
import { actionDim } from "../../smolvla/config.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { noGrad, scope, slice } from "../../torch/index.js";
import { idleNoise } from "../agreements.js";
import { type Check, fault, figure, type Outcome, ok, skipped, warning } from "../check.js";
import type { Examination } from "../examination.js";
import type { Patient } from "../patient.js";
import { AFTER_TEACHER } from "./order.js";

/** Change at twice the steps, beside the spread over noises: a hundredth is exact, one is as much as the noise does. */
const LARGE = 0.5;
const DESTROYING = 1;

/** How far the teacher's actions move when its solver takes twice the steps, in spreads over noises. */
function changeAtTwice(examination: Examination, solver: Solver, numSteps: number, grid: Grid): number {
  const { numNoises, teacher } = examination;
  return scope(() => {
    const [field, noise] = [examination.field(teacher.policy!), examination.noise(teacher.policy!)];
    const ends = (count: number): HostArray =>
      noGrad(() => {
        const actions = slice(solve(solver, field, noise, count, grid), -1, 0, actionDim(teacher.config!)).toHost();
        return hostArray(
          "float32",
          [noise.size(0) / numNoises, numNoises, ...actions.shape.slice(1)],
          actions.data as Float32Array<ArrayBuffer>,
        );
      });
    return Math.sqrt(1 - (measureAgreement(ends(numSteps), ends(2 * numSteps)).noiseExplained ?? 1));
  });
}

/** Whether only the times of its few steps were trained, so that more steps ask about others. */
const isDistilled = ({ provenance }: Patient): boolean => provenance?.distilled === true;

function judge(examination: Examination, change: number, what: string, remedy: string): Outcome {
  const idle = idleNoise(examination);
  if (idle !== undefined) return ok(`${what}: ${idle}`);
  const evidence = `${what}: with twice the steps actions change by ${figure(change)} of their spread over noises`;
  if (change > DESTROYING) return fault(evidence, remedy);
  return change > LARGE ? warning(evidence, remedy) : ok(evidence);
}

export const teacherSteps: Check = {
  id: "teacher-steps",
  title: "The teacher takes enough steps where it is deployed",
  needs: ["dataset", "teacher network"],
  after: [...AFTER_TEACHER, "teacher-time"],
  run: (examination) => {
    const { teacher } = examination;
    if (isDistilled(teacher))
      return skipped("the teacher was distilled, and is not a flow that more steps solve better");
    const { numSteps } = teacher.config!;
    return judge(
      examination,
      changeAtTwice(examination, euler, numSteps, uniformGrid),
      `Euler, num_steps ${numSteps}`,
      "Samples of too few steps shrink to the mean action, and pairs made so teach that. Set num_steps to 10 or more, unless a " +
        "single step is what is wanted of this policy",
    );
  },
};

export const pairSteps: Check = {
  id: "pair-steps",
  title: "The student's pairs were solved with enough steps",
  needs: ["student", "dataset", "teacher network"],
  after: [...AFTER_TEACHER, "teacher-time", "lineage", "student-features"],
  run: async (examination) => {
    const { teacher, student } = examination;
    const { pairs, teacher: own } = student!.provenance ?? {};
    if (pairs === undefined) return skipped("how its pairs were made is not recorded (no reflow.json with `pairs`)");
    if (isDistilled(teacher))
      return skipped("the teacher was distilled, and is not a flow that more steps solve better");
    if (own !== undefined && own.weightsSha256 !== (await teacher.weightsSha256())) {
      return skipped("its pairs were made by a later teacher");
    }
    const { solver, numSteps, grid = uniformGrid.name } = pairs;
    return judge(
      examination,
      changeAtTwice(examination, solverByName(solver), numSteps, gridByName(grid)),
      `${solver}, ${numSteps} steps`,
      "Give the teacher more steps (policy.reflow_num_inference_steps), or Heun's method (reflow.teacher_solver=heun)",
    );
  },
};
