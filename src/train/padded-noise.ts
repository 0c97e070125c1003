import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { actionDim } from "../smolvla/config.js";
import type { HostArray } from "../support/host-array.js";

/** The weights that noise enters through: one column per padded action dimension, `[D, M]`. */
const NOISE_WEIGHTS = "expert.actionIn.weight";

/**
 * Whether a student was trained with noise in the robot's own dimensions alone. Columns that only ever meet zeros get no
 * gradient: those of all other dimensions are its teacher's still, bit by bit, and those of the robot's are not.
 */
export function sawRealNoiseAlone(student: SmolVLAPolicy, teacher: SmolVLAPolicy): boolean {
  const numReal = actionDim(teacher.config);
  const [mine, theirs] = [noiseWeights(student), noiseWeights(teacher)];
  const [, width] = theirs.shape as [number, number];
  if (width === numReal || mine.dtype !== theirs.dtype || mine.shape.join() !== theirs.shape.join()) return false;
  const differing = new Set<number>();
  for (const [i, value] of (theirs.data as Float32Array).entries()) {
    if ((mine.data as Float32Array)[i] !== value) differing.add(i % width);
  }
  return differing.size > 0 && [...differing].every((column) => column < numReal);
}

const noiseWeights = ({ model }: SmolVLAPolicy): HostArray =>
  new Map(model.namedParameters()).get(NOISE_WEIGHTS)!.toHost();
