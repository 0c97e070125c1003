import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { actionDim } from "../smolvla/config.js";
import { noGrad, scope, type Tensor, toDtype } from "../torch/index.js";

/** The weights that noise enters through: one column per padded action dimension, `[D, M]`. */
const NOISE_WEIGHTS = "expert.actionIn.weight";

/** Of the change in the robot's dimensions: what rounding makes of columns that only weight decay has touched. */
const NOTHING = 0.01;
const MUCH_DECAYED = 0.5;

/**
 * Whether a student was trained with noise in the robot's own dimensions alone. Columns that only ever meet zeros get no
 * gradient: those of all other dimensions are its teacher's still, at most scaled by weight decay, and those of the robot's
 * are not.
 */
export function sawRealNoiseAlone(student: SmolVLAPolicy, teacher: SmolVLAPolicy): boolean {
  const numReal = actionDim(teacher.config);
  const [mine, theirs] = [noiseWeights(student), noiseWeights(teacher)];
  const width = theirs.size(-1);
  if (width === numReal || mine.shape.join() !== theirs.shape.join()) return false;
  const [own, first] = [mine, theirs].map(numbersOf) as [number[], number[]];
  const sums = { product: 0, size: 0, real: 0, padded: 0 };
  for (const [i, x] of first.entries()) {
    if (i % width < numReal) continue;
    sums.product += x * own[i]!;
    sums.size += x * x;
  }
  const decay = sums.size > 0 ? sums.product / sums.size : 1;
  for (const [i, x] of first.entries()) {
    if (i % width < numReal) sums.real += (own[i]! - x) ** 2;
    else sums.padded += (own[i]! - decay * x) ** 2;
  }
  const [real, padded] = [sums.real / numReal, sums.padded / (width - numReal)];
  return real > 0 && padded <= NOTHING ** 2 * real && decay > MUCH_DECAYED;
}

const noiseWeights = ({ model }: SmolVLAPolicy): Tensor => new Map(model.namedParameters()).get(NOISE_WEIGHTS)!;

const numbersOf = (weight: Tensor): number[] => noGrad(() => scope(() => toDtype(weight, "float32").toNumbers()));
