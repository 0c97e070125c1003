import { ShapeError } from "../../support/errors.js";
import { full, type Tensor } from "../../torch/index.js";
import type { VelocityField } from "../velocity-field.js";

/**
 * A field as solvers ask it: at one time for the whole batch, and with its answer checked.
 *
 * @throws ShapeError, when it is asked, if the velocity has another shape than the point
 */
export const velocityAtOf =
  (where: string, field: VelocityField) =>
  (x: Tensor, time: number): Tensor => {
    const velocity = field(x, full([x.size(0)], time, "float32", undefined, x.device));
    if (velocity.shape.join() === x.shape.join()) return velocity;
    throw new ShapeError(
      `${where}: expected the field to return a velocity of shape [${x.shape.join(", ")}], got [${velocity.shape.join(", ")}]`,
    );
  };
