import { rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BROWSER_VIDEO, Mp4Encoder } from "../../data/mp4-encoder.js";
import { packedFromPlanar } from "../../data/planar-rgb.js";
import { removeLeftovers, temporaryPathBeside } from "../../support/atomic-file.js";
import { ConfigError, isUserError, messageOf, ShapeError } from "../../support/errors.js";
import type { HostArray } from "../../support/host-array.js";
import { makeFolder } from "../../support/make-folder.js";
import { loadVideoEncoder } from "./load-video-encoder.js";

/**
 * Writes frames as an mp4 that browsers play (H.264, yuv420p, index in front). The file appears when it is whole; folders that
 * are missing are made. One frame at a time is held.
 *
 * @param frames uint8 `[3, height, width]`, all of one size, both edges even
 * @param fps a whole number of at least 1
 * @throws ShapeError for frames of another type, shape or number, ConfigError if the file cannot be written
 */
export async function writeVideo(file: string, frames: Iterable<HostArray>, fps: number): Promise<void> {
  const av = await loadVideoEncoder();
  const temporary = temporaryPathBeside(file);
  let encoder: Mp4Encoder | undefined;
  try {
    await makeFolder(dirname(file));
    await removeLeftovers(file);
    let first: HostArray | undefined;
    for (const frame of frames) {
      first ??= frame;
      const { width, height } = sizeOf(file, frame, first);
      encoder ??= new Mp4Encoder(av, temporary, { width, height, fps }, BROWSER_VIDEO);
      encoder.add(packedFromPlanar(frame));
      await nextTurn(); // signals arrive here, and memory of FFmpeg's is given back
    }
    if (encoder === undefined) throw new ShapeError(`video ${file}: expected at least one frame, got none`);
    const whole = encoder;
    encoder = undefined;
    whole.finish();
    await rename(temporary, file);
  } catch (error) {
    encoder?.abandon();
    await rm(temporary, { force: true }).catch(() => {});
    if (isUserError(error)) throw error;
    throw new ConfigError("video", `expected ${file} to be a place for a video, got an error (${messageOf(error)})`);
  }
}

function sizeOf(file: string, { dtype, shape }: HostArray, first: HostArray): { width: number; height: number } {
  const [channels, height = 0, width = 0] = shape;
  const isPicture = dtype === "uint8" && shape.length === 3 && channels === 3 && height > 0 && width > 0;
  if (isPicture && height % 2 === 0 && width % 2 === 0 && shape.join() === first.shape.join()) return { width, height };
  throw new ShapeError(
    `video ${file}: expected frames uint8 [3, height, width] of one size with even edges, got ${dtype} [${shape.join(", ")}]` +
      (frameDiffers(shape, first) ? ` after [${first.shape.join(", ")}]` : ""),
  );
}

const frameDiffers = (shape: readonly number[], first: HostArray): boolean => shape.join() !== first.shape.join();
