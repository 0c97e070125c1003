const NUM_BINS = 5000;
/** How far the outer bins reach beyond the smallest and the largest value. */
const MARGIN = 1e-10;

/** The quantiles that LeRobot records, by their names in its files. */
export const QUANTILES: Readonly<Record<string, number>> = { q01: 0.01, q10: 0.1, q50: 0.5, q90: 0.9, q99: 0.99 };

/** Rounds to the type in which a feature's statistics are computed. */
export type Rounding = (value: number) => number;

/**
 * LeRobot's quantiles of weighted values: a histogram of 5000 equal bins from the smallest to the largest value, and a
 * straight line inside the bin where the quantile falls.
 *
 * @param values in ascending order, at least one
 * @param weights how often each value occurs
 * @param round the type of the bins' edges: `Math.fround` for float32 features
 *
 * Reference: LeRobot 0.4.4, `RunningQuantileStats` in `datasets/compute_stats.py`, and NumPy's `histogram`.
 */
export function histogramQuantiles(
  values: ArrayLike<number>,
  weights: ArrayLike<number>,
  round: Rounding,
): Readonly<Record<string, number>> {
  const last = values.length - 1;
  const start = round(values[0]! - MARGIN);
  const end = round(values[last]! + MARGIN);
  const step = round(round(end - start) / NUM_BINS);
  const edge = (i: number): number => (i === NUM_BINS ? end : round(round(i * step) + start));
  // cumulative[i]: how many values lie in the bins 0 to i; a bin holds its lower edge, the last one both.
  const cumulative = new Float64Array(NUM_BINS);
  let total = 0;
  for (let bin = 0, at = 0; bin < NUM_BINS; bin++) {
    const upper = edge(bin + 1);
    while (at <= last && (bin === NUM_BINS - 1 ? values[at]! <= upper : values[at]! < upper)) total += weights[at++]!;
    cumulative[bin] = total;
  }
  return Object.fromEntries(
    Object.entries(QUANTILES).map(([name, quantile]) => {
      const target = quantile * total;
      const bin = cumulative.findIndex((count) => count >= target);
      if (bin === 0) return [name, edge(0)];
      const before = cumulative[bin - 1]!;
      const inBin = cumulative[bin]! - before;
      return [name, edge(bin) + ((target - before) / inBin) * (edge(bin + 1) - edge(bin))];
    }),
  );
}
