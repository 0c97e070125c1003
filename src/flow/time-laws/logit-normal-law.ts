import { expectNumber } from "../expect-number.js";
import { normalQuantile } from "./normal-quantile.js";
import type { TimeLaw } from "./time-law.js";

/**
 * `time = sigmoid(mean + std * n)` with a standard normal n: most mass in the middle, none at the ends. With a mean of 0
 * the law is symmetric; above 0 it favours noise, below 0 actions.
 *
 * Density `phi((logit(time) - mean) / std) / (std * time * (1 - time))`, phi that of the standard normal law.
 *
 * @throws ConfigError unless the mean is finite and the standard deviation is above 0
 *
 * Reference: Esser et al. 2024, arXiv:2403.03206, best with mean 0 and std 1; MeanFlow, arXiv:2505.13447, draws both
 * of its times with mean -0.4 and std 1, in our convention of time.
 */
export function makeLogitNormalLaw(mean = 0, std = 1): TimeLaw {
  expectNumber("flow.time", "mean", mean, true, "a finite number");
  expectNumber("flow.time", "std", std, std > 0, "a number above 0");
  return {
    name: "logit_normal",
    quantile: (u) => 1 / (1 + Math.exp(-(mean + std * normalQuantile(u)))),
    density: (time) => {
      if (time <= 0 || time >= 1) return 0;
      const n = (Math.log(time / (1 - time)) - mean) / std;
      return Math.exp(-(n ** 2) / 2) / (Math.sqrt(2 * Math.PI) * std * time * (1 - time));
    },
  };
}
