import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import { deriveSeed } from "../support/derive-seed.js";

/** Random numbers that are a pure function of a seed and labels; other labels give independent numbers. */
export class SeededRandom {
  readonly #generator: ReturnType<typeof xoroshiro128plusFromState>;

  constructor(seed: number, ...labels: readonly (string | number)[]) {
    const word = (i: number): number => (deriveSeed(seed, ...labels, i) % 2 ** 32) | 0;
    this.#generator = xoroshiro128plusFromState([0, 1, 2, 3].map(word));
  }

  /** a uniform number in [0, 1) */
  uniform(): number {
    return uniformFloat64(this.#generator);
  }

  /** a uniform whole number in [0, count) */
  integer(count: number): number {
    return uniformInt(this.#generator, 0, count - 1);
  }

  /** a standard normal number, by Box and Muller */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
}
