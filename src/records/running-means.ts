/** Weighted means by name since they were last taken. */
export class RunningMeans {
  readonly #sums = new Map<string, { sum: number; weight: number }>();

  add(name: string, value: number, weight: number): void {
    const { sum, weight: total } = this.#sums.get(name) ?? { sum: 0, weight: 0 };
    this.#sums.set(name, { sum: sum + value * weight, weight: total + weight });
  }

  /** The means of everything that has weight, in the order of their names; the next ones start anew. */
  take(): Readonly<Record<string, number>> {
    const means = [...this.#sums]
      .filter(([, { weight }]) => weight > 0)
      .map(([name, { sum, weight }]) => [name, sum / weight] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    this.#sums.clear();
    return Object.fromEntries(means);
  }
}
