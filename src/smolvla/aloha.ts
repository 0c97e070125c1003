/**
 * `adapt_to_pi_aloha`: ALOHA's 14 joint values to and from the frame in which pi0-family models were trained. Four joints
 * change sign, the two grippers go between linear position and angle.
 *
 * As in LeRobot since 0.4, these act on already normalised states and not yet un-normalised actions.
 */
import { ShapeError } from "../support/errors.js";
import {
  addScalar,
  asin,
  cat,
  clamp,
  div,
  divScalar,
  mul,
  mulScalar,
  pow,
  slice,
  type Tensor,
  tensor,
  toDevice,
} from "../torch/index.js";

const NUM_JOINTS = 14;
const FLIPPED_JOINTS: readonly number[] = [1, 2, 8, 9];
const GRIPPERS = [6, 13] as const;

/** Measured on a Trossen robot: the gripper angles that mean closed and open to the model. */
const ANGLE = { min: 0.4, max: 1.5 } as const;
/** The same on ALOHA's own scale of joint angles. */
const JOINT = { min: -0.6213, max: 1.491 } as const;
/** ALOHA's linear gripper positions, in metres. */
const LINEAR = { min: 0.01844, max: 0.058 } as const;
/** Linkage of the Interbotix gripper, in metres. */
const ARM_LENGTH = 0.036;
const HORN_RADIUS = 0.022;

interface Range {
  readonly min: number;
  readonly max: number;
}
const toUnit = (x: Tensor, { min, max }: Range): Tensor => divScalar(addScalar(x, -min), max - min);
const fromUnit = (x: Tensor, { min, max }: Range): Tensor => addScalar(mulScalar(x, max - min), min);

/** `[..., 14]` with flipped signs and `mapGripper` on the grippers. */
function adapt(x: Tensor, mapGripper: (gripper: Tensor) => Tensor, where: string): Tensor {
  if (x.size(-1) !== NUM_JOINTS) {
    throw new ShapeError(`${where}: adapt_to_pi_aloha expects ${NUM_JOINTS} joints, got ${x.size(-1)}`);
  }
  const signs = Array.from({ length: NUM_JOINTS }, (_, joint) => (FLIPPED_JOINTS.includes(joint) ? -1 : 1));
  const flipped = mul(x, toDevice(tensor(signs), x.device));
  const [left, right] = GRIPPERS;
  return cat(
    [
      slice(flipped, -1, 0, left),
      mapGripper(slice(flipped, -1, left, left + 1)),
      slice(flipped, -1, left + 1, right),
      mapGripper(slice(flipped, -1, right, right + 1)),
    ],
    -1,
  );
}

/** A state from the robot, for the model: `[..., 14]` -> `[..., 14]`. */
export const adaptState = (state: Tensor): Tensor =>
  adapt(
    state,
    (gripper) => {
      const linear = fromUnit(gripper, LINEAR);
      const numerator = addScalar(pow(linear, 2), HORN_RADIUS ** 2 - ARM_LENGTH ** 2);
      const angle = asin(clamp(div(numerator, mulScalar(linear, 2 * HORN_RADIUS)), -1, 1));
      return toUnit(angle, ANGLE);
    },
    "smolvla.state",
  );

/** Actions from the model, for the robot: `[..., 14]` -> `[..., 14]`. */
export const adaptActions = (actions: Tensor): Tensor =>
  adapt(actions, (gripper) => toUnit(fromUnit(gripper, ANGLE), JOINT), "smolvla.actions");

/** Demonstrated actions, as training targets for the model: the inverse of `adaptActions`. */
export const unadaptActions = (actions: Tensor): Tensor =>
  adapt(actions, (gripper) => toUnit(fromUnit(gripper, JOINT), ANGLE), "smolvla.actions");
