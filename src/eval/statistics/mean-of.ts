/** The arithmetic mean; undefined of nothing. */
export const meanOf = (values: ArrayLike<number>): number | undefined => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length === 0 ? undefined : sum / values.length;
};
