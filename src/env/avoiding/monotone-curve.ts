/**
 * A smooth function through knots that is monotone wherever they are, so it never overshoots: a piecewise cubic with
 * continuous slope, constant beyond the first and the last knot.
 *
 * @param at where the knots are, ascending, two or more
 * @param values at the knots
 *
 * Reference: Fritsch and Butland 1984, with the weighted harmonic mean of neighbouring slopes (known as PCHIP).
 */
export function monotoneCurve(at: readonly number[], values: readonly number[]): (position: number) => number {
  const last = at.length - 1;
  const widths = at.slice(1).map((position, i) => position - at[i]!);
  const rises = widths.map((width, i) => (values[i + 1]! - values[i]!) / width);
  const slopes = at.map((_, i) => {
    if (i === 0) return rises[0]!;
    if (i === last) return rises[last - 1]!;
    const [before, after] = [rises[i - 1]!, rises[i]!];
    if (before * after <= 0) return 0;
    const [a, b] = [2 * widths[i]! + widths[i - 1]!, widths[i]! + 2 * widths[i - 1]!];
    return (a + b) / (a / before + b / after);
  });
  return (position) => {
    if (position <= at[0]!) return values[0]!;
    if (position >= at[last]!) return values[last]!;
    const i = at.findIndex((knot) => knot > position) - 1;
    const width = widths[i]!;
    const t = (position - at[i]!) / width;
    const [t2, t3] = [t * t, t * t * t];
    return (
      (2 * t3 - 3 * t2 + 1) * values[i]! +
      (t3 - 2 * t2 + t) * width * slopes[i]! +
      (3 * t2 - 2 * t3) * values[i + 1]! +
      (t3 - t2) * width * slopes[i + 1]!
    );
  };
}
