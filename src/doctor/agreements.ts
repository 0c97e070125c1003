/** How a student's samples agree with its teacher's, beside how the teacher's own do with as few steps. */
import { type Agreement, agreementSums, measureAgreement } from "../eval/index.js";
import { percent } from "./check.js";
import { type Examination, samplesAt } from "./examination.js";

export interface Agreements {
  readonly student: Agreement;
  readonly teacher: Agreement;
}

/** Both at a number of Euler steps, beside the teacher's flow solved well. */
export function agreementsAt(examination: Examination, numSteps: number): Agreements {
  const [mine, theirs] = [examination.studentSamples(), examination.teacherSamples()];
  return {
    student: measureAgreement(samplesAt(mine, numSteps), theirs.converged),
    teacher: measureAgreement(samplesAt(theirs, numSteps), theirs.converged),
  };
}

/** Of the actions' size: noise that does less is below what networks are wrong by, and there is no variety to lose. */
const MATTERS = 0.02;

/** What noise does to the teacher's actions beside their size, if that is next to nothing; undefined where noise matters. */
export function idleNoise(examination: Examination): string | undefined {
  const { converged } = examination.teacherSamples();
  const sums = agreementSums(converged, converged);
  const total = (name: "referenceSpread" | "size"): number => sums.reduce((sum, part) => sum + part[name], 0);
  const share = Math.sqrt(total("referenceSpread") / total("size"));
  return share < MATTERS ? `noise changes the teacher's actions by ${percent(share)} of their size alone` : undefined;
}

/** Worse than the teacher at as few steps by a factor, and by a part of the actions' size, as in the health watch. */
const FAR = { factor: 2, more: 0.25 };

/** Whether a student is far from its teacher both at one step and as it is deployed. */
export const leavesTeacher = (examination: Examination): boolean =>
  [1, examination.student!.config!.numSteps].every((numSteps) => {
    const { student, teacher } = agreementsAt(examination, numSteps);
    const own = teacher.relativeError ?? 0;
    return (student.relativeError ?? 0) > Math.max(FAR.factor * own, own + FAR.more);
  });
