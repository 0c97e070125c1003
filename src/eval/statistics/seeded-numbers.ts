import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import { normalQuantile } from "../../flow/time-laws/normal-quantile.js";
import { deriveSeed } from "../../support/derive-seed.js";
import { ConfigError } from "../../support/errors.js";

/** Random numbers for measures, in JavaScript memory. */
export interface SeededNumbers {
  /** a whole number from 0 to `limit - 1`, each as likely as any other */
  readonly below: (limit: number) => number;
  /** standard normal */
  readonly normal: () => number;
}

/**
 * A stream that is a function of a seed and a purpose alone, so that two measures with one seed share nothing.
 *
 * @throws ConfigError unless the seed is a whole number of at least 0
 */
export function seededNumbers(where: string, seed: number): SeededNumbers {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ConfigError(where, `expected seed to be a whole number of at least 0, got ${seed}`);
  }
  const generator = xoroshiro128plusFromState([0, 1, 2, 3].map((word) => deriveSeed(seed, where, word) | 0));
  return {
    below: (limit) => uniformInt(generator, 0, limit - 1),
    normal: () => normalQuantile(uniformFloat64(generator) * (1 - 2 ** -53) + 2 ** -54),
  };
}
