import { ConfigError } from "../support/errors.js";
import { didYouMean } from "../support/nearest-name.js";
import { avoidingSettings } from "./avoiding/avoiding-options.js";
import { type Demonstration, demonstrate } from "./avoiding/demonstrate.js";

/** Scripted demonstrators by the type of their world. */
const DEMONSTRATORS: Readonly<Record<string, (seed: number, options: unknown) => Demonstration>> = {
  avoiding: (seed, options) => demonstrate({ seed, options: avoidingSettings(options) }),
};

/**
 * A scripted episode of a built-in world that does its task, in a way that the seed decides.
 *
 * @param options of the world, as a user gave them
 * @throws ConfigError for a world without a demonstrator, or options that cannot be used
 */
export function makeDemonstration(type: string, seed: number, options: unknown = {}): Demonstration {
  if (Object.hasOwn(DEMONSTRATORS, type)) return DEMONSTRATORS[type]!(seed, options);
  const types = Object.keys(DEMONSTRATORS);
  throw new ConfigError(
    "env",
    `expected type to be one of ${types.join(", ")}, got "${type}"${didYouMean(type, types)}`,
  );
}
