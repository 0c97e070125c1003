import { ConfigError } from "../support/errors.js";
import { didYouMean } from "../support/nearest-name.js";
import { Avoiding } from "./avoiding/avoiding.js";
import type { Environment } from "./environment.js";

/** Every built-in world by its type; options are checked by the world itself. */
const MAKERS: Readonly<Record<string, (options: unknown) => Environment>> = {
  avoiding: (options) => Avoiding.fromOptions(options),
};

export const ENVIRONMENT_TYPES: readonly string[] = Object.keys(MAKERS);

/**
 * A built-in world.
 *
 * @param type one of `ENVIRONMENT_TYPES`
 * @param options of that world, as a user gave them
 * @throws ConfigError for an unknown type, an unknown option, or a value out of range
 */
export function makeEnvironment(type: string, options: unknown = {}): Environment {
  if (Object.hasOwn(MAKERS, type)) return MAKERS[type]!(options);
  throw new ConfigError(
    "env",
    `expected type to be one of ${ENVIRONMENT_TYPES.join(", ")}, got "${type}"${didYouMean(type, ENVIRONMENT_TYPES)}`,
  );
}
