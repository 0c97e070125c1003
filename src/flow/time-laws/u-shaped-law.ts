import { expectNumber } from "../expect-number.js";
import type { TimeLaw } from "./time-law.js";

/** Lee et al. 2024, arXiv:2405.20320, section 4.1. */
const PUBLISHED_STEEPNESS = 4;
/** Beyond it nearly all times lie within a few hundredths of an end; far beyond it `e^a` overflows. */
const MAX_STEEPNESS = 100;
/** Keeps the law off the very ends, where only numerical noise remains to be learnt. */
const MARGIN = 1e-5;

/**
 * `a (e^(a time) + e^(a (1 - time))) / (2 (e^a - 1))`: most mass at both ends, where the regression of a deterministic
 * coupling is hard, little in the middle, where the point almost determines the pair. For reflow.
 *
 * Drawn in closed form, `time = 1/2 + asinh((2 u - 1) sinh(a / 2)) / a`, and kept 1e-5 off the ends.
 *
 * @param steepness a; towards 0 the law becomes uniform, 4 if left out
 * @throws ConfigError unless the steepness is above 0 and at most 100
 *
 * Reference: Lee et al. 2024, arXiv:2405.20320, as its released code draws it.
 */
export function makeUShapedLaw(steepness = PUBLISHED_STEEPNESS): TimeLaw {
  const a = steepness;
  expectNumber("flow.time", "steepness", a, a > 0 && a <= MAX_STEEPNESS, `above 0 and at most ${MAX_STEEPNESS}`);
  return {
    name: "u_shaped",
    quantile: (u) => {
      const time = 0.5 + Math.asinh((2 * u - 1) * Math.sinh(a / 2)) / a;
      return Math.min(1 - MARGIN, Math.max(MARGIN, time));
    },
    density: (time) => (a * (Math.exp(a * time) + Math.exp(a * (1 - time)))) / (2 * Math.expm1(a)),
  };
}

/** The law with the published steepness of 4. */
export const uShapedLaw: TimeLaw = makeUShapedLaw();
