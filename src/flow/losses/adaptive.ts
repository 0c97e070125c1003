import { addScalar, detach, div, mul, pow } from "../../torch/index.js";
import { expectNumber } from "../expect-number.js";
import type { VelocityDistance } from "./velocity-distance.js";

/**
 * `m^(p-1) |r|^2 / sg(|r|^2 + c)^p`, sg a stop-gradient: each sample's gradient is divided by a power of its own
 * loss. With p = 1 every sample and time pulls alike (the gradient of `log(|r|^2 + c)`), p = 1/2 is near pseudo-Huber,
 * and p = 0 is `l2` exactly. c keeps samples that are already learnt from pulling with their rounding errors.
 *
 * Its value says little (near 1 for p = 1): watch another measure.
 *
 * @param power p, from 0 to 1
 * @param c above 0, in units of `|r|^2`, the sum over a chunk; the papers use 0.01 to 0.001
 * @throws ConfigError for a power or a constant out of range
 *
 * Reference: Geng et al. 2025, arXiv:2505.13447 (MeanFlow), `|r|^2 / sg(|r|^2 + c)^p`; the factor `m^(p-1)`
 * gives it per entry like the other distances. With p = 1 also the per-sample normalisation of Simple ReFlow,
 * arXiv:2410.07815.
 */
export function makeAdaptive(power = 1, c = 1e-3): VelocityDistance {
  expectNumber("flow.distance", "adaptivePower", power, power >= 0 && power <= 1, "a number from 0 to 1");
  expectNumber("flow.distance", "adaptiveC", c, c > 0, "a number above 0");
  return {
    name: "adaptive",
    ofMeanSquare: (meanSquare, numActive) => {
      const scale = pow(div(numActive, addScalar(mul(detach(meanSquare), numActive), c)), power);
      return mul(meanSquare, scale);
    },
  };
}
