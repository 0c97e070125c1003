import { actionDim } from "../smolvla/config.js";
import { scope, slice } from "../torch/index.js";
import { type Examination, samplesAt } from "./examination.js";

/** How much of each number of noise is in the teacher's deployed samples, by regression: 1 for a policy that does nothing. */
export function noiseLeft(examination: Examination): number {
  const { config, policy } = examination.teacher;
  const { data } = samplesAt(examination.teacherSamples(), config!.numSteps);
  const noise = scope(() => slice(examination.noise(policy!), -1, 0, actionDim(config!)).toNumbers());
  const sum = (term: (x: number, i: number) => number): number => noise.reduce((total, x, i) => total + term(x, i), 0);
  return sum((x, i) => x * Number(data[i])) / sum((x) => x * x);
}
