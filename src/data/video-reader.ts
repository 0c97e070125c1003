import { DatasetError, messageOf } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import { BoundedCache } from "./bounded-cache.js";
import type { VideoBackend, VideoFile, VideoFrame } from "./video-backend.js";

/** Decoders hold a few reference frames each; eight serve four cameras at the border of two files. */
const DEFAULT_MAX_OPEN_FILES = 8;

/** Decodes frames of many video files by time, keeping the files used last open. */
export class VideoReader {
  readonly #backend: VideoBackend;
  readonly #files: BoundedCache<VideoFile>;
  #isClosed = false;

  constructor(backend: VideoBackend, options: { maxOpenFiles?: number } = {}) {
    this.#backend = backend;
    this.#files = new BoundedCache(options.maxOpenFiles ?? DEFAULT_MAX_OPEN_FILES, (file) => file.close());
  }

  /**
   * The frames at the given times, each uint8 `[3, height, width]`, RGB in [0, 255].
   *
   * @param timesS seconds since the beginning of the file, in any order
   * @param toleranceS how far a frame's own time may be from the one asked for
   * @param describe what frame number `i` of the call is, for errors: `episode 3, frame 14`
   * @throws DatasetError naming the file, the frame and both times if there is no frame near enough or the file is damaged
   */
  readFrames(
    path: string,
    timesS: readonly number[],
    toleranceS: number,
    describe: (i: number) => string,
  ): HostArray[] {
    if (this.#isClosed) throw new DatasetError(`${path}: expected an open dataset, got one that was closed`);
    const frames = new Map<number, VideoFrame>();
    for (const timeS of [...timesS].sort((a, b) => a - b)) {
      if (!frames.has(timeS))
        frames.set(
          timeS,
          this.#read(path, timeS, () => describe(timesS.indexOf(timeS))),
        );
    }
    return timesS.map((timeS, i) => {
      const frame = frames.get(timeS)!;
      const distanceS = Math.abs(frame.timeS - timeS);
      if (distanceS <= toleranceS) return frame.image;
      throw new DatasetError(
        `${path}: expected a frame at ${formatS(timeS)} for ${describe(i)}, got none nearer than ${formatS(frame.timeS)}, ` +
          `which is ${formatS(distanceS)} away (tolerance ${toleranceS} s). The video is shorter than the episode table ` +
          "says, or its frame rate differs from the dataset's",
      );
    });
  }

  /** Closes all files; the reader cannot be used afterwards. */
  close(): void {
    this.#isClosed = true;
    this.#files.clear();
  }

  #read(path: string, timeS: number, describe: () => string): VideoFrame {
    try {
      let file = this.#files.get(path);
      if (file === undefined) {
        file = this.#backend.open(path);
        this.#files.set(path, file);
      }
      return file.nearestFrame(timeS);
    } catch (error) {
      // A decoder that has failed is in no known state.
      this.#files.delete(path);
      throw new DatasetError(
        `${path}: expected a frame at ${formatS(timeS)} for ${describe()}, got an error (${messageOf(error)}). ` +
          "The file is missing, truncated or damaged",
      );
    }
  }
}

const formatS = (seconds: number): string => `${Number(seconds.toFixed(6))} s`;
