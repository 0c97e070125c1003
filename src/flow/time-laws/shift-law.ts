import { expectNumber } from "../expect-number.js";
import type { TimeLaw } from "./time-law.js";

/**
 * `time = alpha u / (1 + (alpha - 1) u)`: density `alpha / (alpha - (alpha - 1) time)^2`. Above 1, alpha moves mass to the
 * noise end (4 puts 31 % above time 0.9, which trains a flow that is sampled in one step); 1 is the uniform law.
 *
 * @throws ConfigError unless alpha is above 0
 *
 * Reference: Esser et al. 2024, arXiv:2403.03206, shift times so; "Let It Be Simple", arXiv:2606.05737, trains one-step policies
 * with alpha 4.
 */
export function makeShiftLaw(alpha = 4): TimeLaw {
  expectNumber("flow.time", "alpha", alpha, alpha > 0, "a number above 0");
  return {
    name: "shift",
    quantile: (u) => (alpha * u) / (1 + (alpha - 1) * u),
    density: (time) => alpha / (alpha - (alpha - 1) * time) ** 2,
  };
}
