import { messageOf } from "../support/errors.js";
import type { NodeAv } from "./node-av-decoder.js";

/**
 * Loads FFmpeg. Everything it would print on the terminal arrives as an error of ours, with the file's name.
 *
 * @param otherwise what a user can do without it, after "or"
 * @param toError makes an error of the sentence that says that it cannot be used
 * @throws that error if its library is not installed or does not fit this platform
 */
export async function loadNodeAv(otherwise: string, toError: (sentence: string) => Error): Promise<NodeAv> {
  try {
    const [lib, constants] = await Promise.all([import("node-av/lib"), import("node-av/constants")]);
    lib.Log.setLevel(constants.AV_LOG_QUIET);
    return { lib, constants };
  } catch (error) {
    throw toError(
      `expected the package node-av to be usable on this machine, got an error (${messageOf(error)}). ` +
        `Install it with "npm install node-av", or ${otherwise}`,
    );
  }
}
