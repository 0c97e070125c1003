/** A law by which training times are drawn; 1 is noise and 0 is actions. */
export interface TimeLaw {
  readonly name: string;
  /** Maps a uniform number in [0, 1) to a time: the inverse of the law's distribution function. */
  readonly quantile: (u: number) => number;
  /** Probability density at a time in (0, 1). */
  readonly density: (time: number) => number;
}
