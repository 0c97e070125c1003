/** Statistics that a few wild values do not move. */

export const mean = (values: readonly number[]): number =>
  values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median absolute deviation, scaled so that it is the standard deviation where values are normal. */
export function deviation(values: readonly number[]): number {
  const centre = median(values);
  return 1.4826 * median(values.map((value) => Math.abs(value - centre)));
}

/**
 * Standard deviation of the noise around whatever slow course a series takes, from the differences of neighbours, which
 * hardly see that course: `deviation(differences) / sqrt(2)`.
 */
export const noiseScale = (series: readonly number[]): number =>
  deviation(series.slice(1).map((value, i) => value - series[i]!)) / Math.SQRT2;

/** The straight line through a series by least squares, over positions 0, 1, ...; `explained` is its r squared. */
export function fitLine(series: readonly number[]): { slope: number; residuals: number[]; explained: number } {
  const [centre, level] = [(series.length - 1) / 2, mean(series)];
  let [products, squares, total] = [0, 0, 0];
  for (const [i, value] of series.entries()) {
    products += (i - centre) * (value - level);
    squares += (i - centre) ** 2;
    total += (value - level) ** 2;
  }
  const slope = squares === 0 ? 0 : products / squares;
  const residuals = series.map((value, i) => value - level - slope * (i - centre));
  return { slope, residuals, explained: total === 0 ? 0 : (slope * products) / total };
}

/** Correlation of neighbours in a series of mean 0: about 0 for noise, with standard deviation `1 / sqrt(n)`. */
export function neighbourCorrelation(series: readonly number[]): number {
  let [products, squares] = [0, 0];
  for (const [i, value] of series.entries()) {
    squares += value ** 2;
    if (i > 0) products += value * series[i - 1]!;
  }
  return squares === 0 ? 0 : products / squares;
}
