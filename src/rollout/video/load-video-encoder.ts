import { loadNodeAv } from "../../data/load-node-av.js";
import type { NodeAv } from "../../data/node-av-decoder.js";
import { ConfigError } from "../../support/errors.js";

/** Loads FFmpeg for videos of episodes. @throws ConfigError if its library is not installed or does not fit this platform */
export const loadVideoEncoder = (): Promise<NodeAv> =>
  loadNodeAv("ask for no videos (--eval.max_episodes_rendered=0)", (sentence) => new ConfigError("video", sentence));
