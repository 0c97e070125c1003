import type { ArmResult } from "../../train/arms/arm-result.js";
import { trailingMeans } from "../../train/arms/trailing-means.js";

/** Points of a curve that are kept; a screen shows no more. */
const NUM_POINTS = 400;

/** A smoothed loss curve: steps done and means, evenly thinned, first and last kept. */
export function lossCurve({ losses }: ArmResult, window: number): readonly (readonly [step: number, loss: number])[] {
  const means = trailingMeans(losses, window);
  const spacing = Math.max(1, Math.ceil(means.length / NUM_POINTS));
  return means.flatMap((loss, i) => (i % spacing === 0 || i === means.length - 1 ? [[i + 1, loss] as const] : []));
}

/** The smoothed loss after a number of steps; undefined if the arm did not get there. */
export function lossAfter({ losses }: ArmResult, step: number, window: number): number | undefined {
  if (step > losses.length) return undefined;
  return trailingMeans(losses.slice(Math.max(0, step - window), step), window).at(-1);
}

/** What became of an arm, as plain JSON; numbers that JSON does not have become null. */
export const armToJson = (result: ArmResult, window: number): Readonly<Record<string, unknown>> => ({
  name: result.name,
  status: result.diverged ? "diverged" : "trained",
  diverged: result.diverged ?? null,
  steps_done: result.losses.length,
  first_loss: result.losses[0] ?? null,
  last_loss: lossAfter(result, result.losses.length, window) ?? null,
  loss_curve: lossCurve(result, window),
  evaluations: result.measurements,
  findings: result.findings,
});
