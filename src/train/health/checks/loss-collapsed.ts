import { mean } from "../robust-statistics.js";
import { NUM_LEVEL } from "../run-memory.js";
import { type Check, figure } from "./check.js";

/** Steps within which no real task is learnt so well. */
const NUM_STEPS = 1000;
/** A good distillation came down 25 times in 800 steps, training from nothing 30 times; a target of 0 some 300 times in 150. */
const FALL = Math.log(150);
/** Only a target that is the prediction's own, or 0, can be met like this. */
const CRITICAL_FALL = Math.log(1e6);
const NUM_NOW = NUM_LEVEL / 2;

/**
 * The loss has fallen to almost nothing in a few hundred steps. Where noise and actions are the same memory, the target is 0
 * and the network learns to be 0: the loss is splendid and the policy is lost.
 */
export const lossCollapsed: Check = ({ start, losses, step, firstStep }) => {
  if (firstStep > 0 || step > NUM_STEPS || start.length < NUM_NOW || losses.length < NUM_LEVEL) return undefined;
  const before = mean(start.slice(0, NUM_NOW));
  const now = mean(losses.slice(-NUM_NOW));
  if (before - now < FALL) return undefined;
  return {
    kind: "loss-collapsed",
    severity: before - now >= CRITICAL_FALL ? "critical" : "warning",
    lastGoodStep: 0,
    figures: { loss: Math.exp(now), before: Math.exp(before) },
    message:
      `the loss fell from typically ${figure(Math.exp(before))} to ${figure(Math.exp(now))} in ${step} steps, which is too ` +
      "good to be true for noise that the policy has never seen",
    advice:
      "Look at samples before you trust it: targets may be 0 (noise overwritten by actions), or the dataset may hold the same " +
      "frame over and over",
  };
};
