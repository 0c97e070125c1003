import { ConfigError } from "../../support/errors.js";
import type { TrainConfig } from "../../train/config.js";
import type { Settings } from "../overrides.js";
import { type RunSettings, readRunSettings } from "../run-settings.js";

/** Settings of a training run that change nothing where nothing is kept of the students but their numbers. */
const WITHOUT_EFFECT: readonly (readonly [name: string, isGiven: (config: TrainConfig) => boolean])[] = [
  ["ema.decay", ({ ema }) => ema.decay !== undefined],
  ["wandb.enable", ({ wandb }) => wandb.enable],
  ["tensorboard", ({ tensorboard }) => tensorboard],
  ["policy.push_to_hub", ({ policy }) => policy.pushToHub],
  ["health", ({ health }) => health !== "warn"],
];

/**
 * The settings of a command that trains students only to compare them.
 *
 * @param defaults in place of those of `reflow train`
 * @throws ConfigError as `reflow train` does, and for a run that is to be continued
 */
export async function readArmSettings(
  command: string,
  args: readonly string[],
  defaults: Settings,
): Promise<Pick<RunSettings, "config" | "warnings">> {
  const { config, warnings, resume } = await readRunSettings(args, defaults);
  if (resume !== undefined) {
    throw new ConfigError("--resume", `expected false for ${command}, got true. A comparison always begins anew`);
  }
  const idle = WITHOUT_EFFECT.filter(([, isGiven]) => isGiven(config)).map(
    ([name]) => `${name} has no effect in ${command}, which keeps no policies`,
  );
  // Students are measured at the start and the end always, so that episodes are held out for it always.
  return { config: { ...config, evalFreq: config.evalFreq || config.steps }, warnings: [...warnings, ...idle] };
}
