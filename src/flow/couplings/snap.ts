import { ShapeError } from "../../support/errors.js";
import {
  clamp,
  constantPad,
  div,
  expand,
  full,
  le,
  logicalAnd,
  logicalNot,
  mul,
  ones,
  reshape,
  scope,
  sqrt,
  square,
  sub,
  sumOver,
  type Tensor,
  toDtype,
  where,
} from "../../torch/index.js";
import { expectNumber } from "../expect-number.js";

export interface SnapOptions {
  /** the teacher's, `[B, A, M]` */
  readonly generated: Tensor;
  /** of the same observations, `[B, A, M]` */
  readonly demonstrated: Tensor;
  /** steps of the demonstrations beyond the end of their episode, `bool[B, A]` */
  readonly isPad: Tensor;
  /** real dimensions, the first of M */
  readonly numReal: number;
  /** largest distance of a snap, above 0: about that of two teacher samples of one mode */
  readonly epsilon: number;
}

export interface Snapped {
  /** `[B, A, M]` */
  readonly actions: Tensor;
  /** `bool[B]` */
  readonly isSnapped: Tensor;
  /** root mean square distance over real dimensions and steps within the episode, `[B]`; 0 where there is no such step */
  readonly distance: Tensor;
}

/**
 * Actions for pairs with the teacher's noise: where the teacher came nearer than epsilon to the demonstration, the
 * demonstration's, elsewhere its own. The noise picks the mode, the demonstration the detail, so the pairs neither drift
 * from real data nor average over modes.
 *
 * Of a sample that snaps, the real dimensions of steps within the episode are taken from the demonstration. Padded
 * dimensions and steps beyond the episode's end stay the teacher's, so every entry of a result is valid, as in any
 * generated chunk. A demonstration all beyond the end never snaps.
 *
 * @throws ShapeError if shapes do not fit, ConfigError for an epsilon of 0 or below
 *
 * Reference: SeFA-Policy, arXiv:2511.08583, selective flow alignment.
 */
export function snap({ generated, demonstrated, isPad, numReal, epsilon }: SnapOptions): Snapped {
  const [numSamples, chunkSize, width] = checkShapes(generated, demonstrated, isPad, numReal);
  expectNumber("flow.snap", "epsilon", epsilon, epsilon > 0, "a number above 0");
  return scope(() => {
    const isRealDim = constantPad(ones([numReal], "bool", undefined, generated.device), [0, width - numReal], 0);
    const isWithin = expand(reshape(logicalNot(isPad), [numSamples, chunkSize, 1]), generated.shape);
    const counts = logicalAnd(isWithin, isRealDim); // bool[B, A, M]
    const weights = toDtype(counts, generated.dtype);
    const numCounted = sumOver(weights, [1, 2]); // [B]
    const squares = sumOver(mul(square(sub(generated, demonstrated)), weights), [1, 2]);
    const distance = sqrt(div(squares, clamp(numCounted, 1)));
    const limit = full([1], epsilon, generated.dtype, undefined, generated.device);
    const one = full([1], 1, generated.dtype, undefined, generated.device);
    const isSnapped = logicalAnd(le(distance, limit), le(one, numCounted));
    const fromDemonstration = logicalAnd(counts, reshape(isSnapped, [numSamples, 1, 1]));
    return { actions: where(fromDemonstration, demonstrated, generated), isSnapped, distance };
  });
}

function checkShapes(
  generated: Tensor,
  demonstrated: Tensor,
  isPad: Tensor,
  numReal: number,
): readonly [number, number, number] {
  const { shape } = generated;
  if (shape.length !== 3 || shape.join() !== demonstrated.shape.join()) {
    throw new ShapeError(
      `flow.snap: expected generated and demonstrated actions of one shape [B, A, M], got [${shape.join(", ")}] and [${demonstrated.shape.join(", ")}]`,
    );
  }
  const [numSamples, chunkSize, width] = shape as [number, number, number];
  if (isPad.dtype !== "bool" || isPad.shape.join() !== [numSamples, chunkSize].join()) {
    throw new ShapeError(
      `flow.snap: expected isPad to be bool[${numSamples}, ${chunkSize}], got ${isPad.dtype}[${isPad.shape.join(", ")}]`,
    );
  }
  if (!Number.isInteger(numReal) || numReal < 1 || numReal > width) {
    throw new ShapeError(`flow.snap: expected from 1 to ${width} real dimensions, got ${numReal}`);
  }
  return [numSamples, chunkSize, width];
}
