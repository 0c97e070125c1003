import { DatasetError } from "../../support/errors.js";
import { loadNodeAv } from "../load-node-av.js";
import type { NodeAv } from "../node-av-decoder.js";

/** Loads FFmpeg for writing. @throws DatasetError if its library is not installed or does not fit this platform */
export const loadEncoder = (): Promise<NodeAv> =>
  loadNodeAv('record cameras as "image"', (sentence) => new DatasetError(`video: ${sentence}`));
