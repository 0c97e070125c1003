import { createRequire } from "node:module";
import { ConfigError, messageOf } from "../../support/errors.js";
import { once } from "../../support/once.js";

/**
 * The drawing library, loaded when a report is first drawn: whoever steps through a world, images and all, needs no native code.
 *
 * @throws ConfigError if there is none for this machine
 */
export const loadCanvas = once((): typeof import("@napi-rs/canvas") => {
  try {
    return createRequire(import.meta.url)("@napi-rs/canvas");
  } catch (error) {
    throw new ConfigError(
      "env",
      `expected the package @napi-rs/canvas to draw with, got an error (${messageOf(error)})`,
    );
  }
});
