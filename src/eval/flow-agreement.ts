/** Agreement of flows with themselves and with a teacher, and what a student's figures are to be compared with. */
import type { HostArray } from "../support/host-array.js";
import { type Agreement, measureAgreement } from "./agreement.js";
import type { SolvedSamples } from "./samples/solved-samples.js";

/** Steps of stock policies. */
const DEPLOYED_STEPS = 10;

export interface StepAgreement {
  readonly numSteps: number;
  /** with the student's own flow, well solved; its `relativeError` is e_self, the error of taking few steps */
  readonly self: Agreement;
  /** with the teacher's flow, well solved; its `relativeError` is e_teach */
  readonly teacher: Agreement;
  /** with the teacher as it is deployed; undefined if it was not sampled with that number of steps */
  readonly deployed: Agreement | undefined;
}

/**
 * How a student agrees with itself and with its teacher at every number of steps it was sampled with.
 *
 * `e_self(N) = sqrt(E|a_N - a_ref|^2 / E|a_ref|^2)` and `e_teach(N) = sqrt(E|a_N - t_ref|^2 / E|t_ref|^2)`. A student may be
 * straight (small e_self) and wrong (large e_teach); a curved flow that copies its teacher well has it the other way around.
 *
 * @param student and `teacher`: the same observations and noises
 * @throws ShapeError as `measureAgreement`
 */
export const studentAgreement = (
  student: SolvedSamples,
  teacher: SolvedSamples,
  deployedSteps = DEPLOYED_STEPS,
): StepAgreement[] => {
  const deployed = samplesAt(teacher, deployedSteps);
  return student.fewSteps.map(({ numSteps, samples }) => ({
    numSteps,
    self: measureAgreement(samples, student.converged),
    teacher: measureAgreement(samples, teacher.converged),
    deployed: deployed && measureAgreement(samples, deployed),
  }));
};

export interface TeacherBaselines {
  /** the teacher itself with few steps: a student that is no better has learnt nothing */
  readonly sameSteps: readonly { readonly numSteps: number; readonly agreement: Agreement }[];
  /** the teacher from noises that have nothing to do with the reference's: `noiseExplained` near -1, the scale of chance */
  readonly otherNoise: Agreement;
  /** the teacher as it is deployed: the error of its solver, which a student of the converged flow need not have */
  readonly deployed: Agreement | undefined;
}

/**
 * What belongs into every table of a student's agreement, all against the teacher's flow, well solved.
 *
 * @param teacher sampled from the noises that the student is sampled from
 * @param otherNoise the teacher well solved from other noises of the same observations, of the same shape
 * @throws ShapeError as `measureAgreement`
 */
export const teacherBaselines = (
  teacher: SolvedSamples,
  otherNoise: HostArray,
  deployedSteps = DEPLOYED_STEPS,
): TeacherBaselines => {
  const deployed = samplesAt(teacher, deployedSteps);
  return {
    sameSteps: teacher.fewSteps.map(({ numSteps, samples }) => ({
      numSteps,
      agreement: measureAgreement(samples, teacher.converged),
    })),
    otherNoise: measureAgreement(otherNoise, teacher.converged),
    deployed: deployed && measureAgreement(deployed, teacher.converged),
  };
};

const samplesAt = ({ fewSteps }: SolvedSamples, steps: number): HostArray | undefined =>
  fewSteps.find(({ numSteps }) => numSteps === steps)?.samples;
