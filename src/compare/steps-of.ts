import type { ComparedPolicy, ComparisonSettings } from "./comparison.js";

/**
 * The numbers of Euler steps at which a policy is measured, in rising order: those of the settings; for the teacher also its
 * deployed number, and one for a policy that was trained for one step.
 */
export function stepsOf(
  policy: ComparedPolicy,
  { numStepsList, deployedSteps }: Pick<ComparisonSettings, "numStepsList" | "deployedSteps">,
  isTeacher: boolean,
): readonly number[] {
  const wanted = [...numStepsList, ...(isTeacher ? [deployedSteps] : []), ...(policy.isDistilled ? [1] : [])];
  return [...new Set(wanted)].sort((a, b) => a - b);
}
