import type { TimeSettings } from "./config.js";

/** Whether a policy that is trained at these times has seen all that so many equal Euler steps ask it about. */
export const isTrainedFor = (numSteps: number, { shareAtAtoms, atoms }: TimeSettings): boolean =>
  shareAtAtoms < 1 ||
  Array.from({ length: numSteps }, (_, k) => 1 - k / numSteps).every((time) => atoms.includes(time));
