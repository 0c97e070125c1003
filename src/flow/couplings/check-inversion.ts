import { ShapeError } from "../../support/errors.js";
import { meanOver, scope, sqrt, square, sub, type Tensor } from "../../torch/index.js";
import { expectNumber } from "../expect-number.js";

export interface InversionOptions {
  /** what `invert` returned, `[B, A, M]` of the dimensions that were inverted */
  readonly noise: Tensor;
  /** what was inverted, `[B, A, M]` */
  readonly actions: Tensor;
  /** where the same field and solver carry that noise, `[B, A, M]` */
  readonly restored: Tensor;
  /** largest root mean square difference of restored and given actions, above 0 */
  readonly maxError: number;
  /** range of the noise's mean square, 0.7 to 1.3 if left out */
  readonly energyRange?: readonly [lowest: number, highest: number];
}

export interface InversionCheck {
  /** mean square of the noise; 1 on average for standard normal noise, with a deviation of sqrt(2 / (A M)) */
  readonly energy: number;
  /** root mean square difference of restored and given actions */
  readonly error: number;
  readonly isAccepted: boolean;
}

/**
 * Whether each inverted noise could have been drawn, and leads back to the actions it came from. A demonstration that the
 * teacher finds unlikely inverts to a noise far too large (or, stepped over too coarsely, to one that leads elsewhere); a
 * student must not be trained to start from those.
 *
 * In chunks of few entries the mean square of honest noise scatters: with 30 of them it leaves 0.7 to 1.3 one time in four.
 *
 * @returns one check for each sample
 * @throws ShapeError if the shapes differ, ConfigError for a largest error of 0 or below and a range that is none
 */
export function checkInversion({
  noise,
  actions,
  restored,
  maxError,
  energyRange = [0.7, 1.3],
}: InversionOptions): InversionCheck[] {
  const where = "flow.checkInversion";
  if ([actions, restored].some(({ shape }) => shape.join() !== noise.shape.join()) || noise.shape.length !== 3) {
    throw new ShapeError(
      `${where}: expected noise, actions and restored actions of one shape [B, A, M], got ` +
        `${[noise, actions, restored].map(({ shape }) => `[${shape.join(", ")}]`).join(", ")}`,
    );
  }
  expectNumber(where, "maxError", maxError, maxError > 0, "a number above 0");
  const [lowest, highest] = energyRange;
  expectNumber(where, "the lowest energy", lowest, lowest >= 0 && lowest < highest, `from 0 to below ${highest}`);
  const [energies, errors] = scope(() => [
    meanOver(square(noise), [1, 2]).toNumbers(),
    sqrt(meanOver(square(sub(restored, actions)), [1, 2])).toNumbers(),
  ]) as [number[], number[]];
  return energies.map((energy, i) => {
    const error = errors[i]!;
    return { energy, error, isAccepted: energy >= lowest && energy <= highest && error <= maxError };
  });
}
