/** Losses over which a curve is smoothed: a twentieth of the run, at most 100. */
export const smoothingWindow = (numSteps: number): number => Math.min(100, Math.max(1, Math.ceil(numSteps / 20)));

/** Of each value, the mean of it and those before it, `window` together or as many as there are. */
export function trailingMeans(values: readonly number[], window: number): readonly number[] {
  return values.map((_, i) => {
    const latest = values.slice(Math.max(0, i + 1 - window), i + 1);
    return latest.reduce((sum, value) => sum + value, 0) / latest.length;
  });
}
