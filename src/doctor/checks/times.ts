import { timeLaw } from "../../flow/index.js";
import type { TimeSettings } from "../../train/config.js";
import { isTrainedFor } from "../../train/is-trained-for.js";
import { type Check, fault, ok, percent, skipped, warning } from "../check.js";

/** Times above this count as those of a first step, and at least this share of the samples should have them. */
const NEAR_NOISE = 0.9;
const SELDOM = 0.05;
/** Policies with more steps lean on other times as well. */
const FEW_STEPS = 2;

export const trainedTimes: Check = {
  id: "trained-times",
  title: "The student was trained at the times that it is asked about",
  needs: ["student"],
  after: ["student-files", "lineage"],
  run: ({ student }) => {
    const time = student!.provenance?.time as TimeSettings | undefined;
    if (time?.atoms === undefined || time.shareAtAtoms === undefined) {
      return skipped("the student does not say at which times it was trained (no reflow.json with `time`)");
    }
    const { numSteps } = student!.config!;
    const { atoms, shareAtAtoms, law = "uniform" } = time;
    if (!isTrainedFor(numSteps, time)) {
      return fault(
        `num_steps is ${numSteps}, but it was trained at time ${atoms.join(", ")} alone`,
        atoms.includes(1)
          ? "Set num_steps to 1, or train with a smaller reflow.time.share_at_atoms"
          : "Train at time 1 too (reflow.time.atoms): every policy is asked about it first",
      );
    }
    const { quantile } = timeLaw({ ...time, law });
    const share =
      shareAbove(NEAR_NOISE, quantile) * (1 - shareAtAtoms) + (atoms.includes(1) ? shareAtAtoms / atoms.length : 0);
    const evidence = `${percent(share)} of the samples at times from ${NEAR_NOISE} to 1 (${law}, ${percent(shareAtAtoms)} at ${atoms.join(", ")})`;
    return numSteps <= FEW_STEPS && share < SELDOM
      ? warning(
          `${evidence}, and num_steps is ${numSteps}`,
          "A policy of one or two steps answers at time 1. Use reflow.time.law=u_shaped and reflow.time.share_at_atoms=0.25",
        )
      : ok(evidence);
  },
};

/** Mass of a law above a time, from its quantile function by bisection. */
function shareAbove(time: number, quantile: (u: number) => number): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (quantile(middle) < time) low = middle;
    else high = middle;
  }
  return 1 - low;
}
