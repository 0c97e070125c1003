import { DatasetError, messageOf } from "../../support/errors.js";
import type { NodeAv } from "../node-av-decoder.js";

/** Loads FFmpeg for writing. @throws DatasetError if its library is not installed or does not fit this platform */
export async function loadEncoder(): Promise<NodeAv> {
  try {
    const [lib, constants] = await Promise.all([import("node-av/lib"), import("node-av/constants")]);
    // Everything FFmpeg would print on the terminal arrives as an error of ours, with the file's name.
    lib.Log.setLevel(constants.AV_LOG_QUIET);
    return { lib, constants };
  } catch (error) {
    throw new DatasetError(
      `video: expected the package node-av to be usable on this machine, got an error (${messageOf(error)}). ` +
        'Install it with "npm install node-av", or record cameras as "image"',
    );
  }
}
