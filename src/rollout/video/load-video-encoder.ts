import type { NodeAv } from "../../data/node-av-decoder.js";
import { ConfigError, messageOf } from "../../support/errors.js";

/** Loads FFmpeg for videos of episodes. @throws ConfigError if its library is not installed or does not fit this platform */
export async function loadVideoEncoder(): Promise<NodeAv> {
  try {
    const [lib, constants] = await Promise.all([import("node-av/lib"), import("node-av/constants")]);
    // What FFmpeg would print on the terminal arrives as an error of ours, with the file's name.
    lib.Log.setLevel(constants.AV_LOG_QUIET);
    return { lib, constants };
  } catch (error) {
    throw new ConfigError(
      "video",
      `expected the package node-av to be usable on this machine, got an error (${messageOf(error)}). ` +
        'Install it with "npm install node-av", or ask for no videos (--eval.max_episodes_rendered=0)',
    );
  }
}
