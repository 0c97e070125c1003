import { cosineDecayWithWarmup } from "../optim/index.js";
import type { SettledTrainConfig } from "./config-preset.js";

/**
 * The learning rate of each step of a run, counted from 0. As in LeRobot, the schedule gives the shape and the optimizer's
 * own rate the height, should they differ.
 */
export function learningRates({ optimizer, scheduler, steps }: SettledTrainConfig): (step: number) => number {
  const shape = cosineDecayWithWarmup(scheduler, steps);
  const height = optimizer.lr / scheduler.peakLr;
  return (step) => shape(step) * height;
}
