import type { TimeSettings } from "./config.js";

/** Whether a policy that is trained at these times has seen all that so many equal Euler steps ask it about. */
export const isTrainedFor = (numSteps: number, { shareAtAtoms, atoms }: TimeSettings): boolean =>
  shareAtAtoms < 1 ||
  Array.from({ length: numSteps }, (_, k) => 1 - k / numSteps).every((time) => atoms.includes(time));

/** The most equal Euler steps that a policy can take which is trained at single times alone; undefined if there are none, or no limit. */
export const mostStepsTrainedFor = (time: TimeSettings): number | undefined =>
  time.shareAtAtoms < 1
    ? undefined
    : time.atoms.map((_, i) => time.atoms.length - i).find((numSteps) => isTrainedFor(numSteps, time));
