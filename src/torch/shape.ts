import { ShapeError } from "../support/errors.js";
import type { DType } from "./dtype.js";
import type { Tensor } from "./tensor.js";

/**
 * Checks a tensor's shape against letters and numbers and binds the letters: `expectShape(x, "B A 32", "velocity: noisyActions")`
 * gives `{ B, A }`. A letter that occurs twice, or has a value in `known`, must agree.
 *
 * @throws ShapeError with the letters, what was expected of them, and what came
 */
export function expectShape<const P extends string>(
  tensor: Tensor,
  pattern: P,
  where: string,
  known: Readonly<Record<string, number>> = {},
  dtype?: DType,
): Record<string, number> {
  const { shape } = tensor;
  const letters = pattern.split(" ");
  const sizes: Record<string, number> = { ...known };
  const fits =
    shape.length === letters.length &&
    letters.every((letter, i) => {
      if (/^\d+$/.test(letter)) return Number(letter) === shape[i];
      sizes[letter] ??= shape[i]!;
      return sizes[letter] === shape[i];
    });
  if (!fits || (dtype !== undefined && dtype !== tensor.dtype)) {
    const meaning = letters
      .map((letter) => (known[letter] === undefined ? letter : `${letter}=${known[letter]}`))
      .join(", ");
    throw new ShapeError(
      `${where}: expected ${dtype ?? ""}[${meaning}], got ${dtype === undefined ? "" : tensor.dtype}[${shape.join(", ")}]`,
    );
  }
  return sizes;
}
