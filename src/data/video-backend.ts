import type { HostArray } from "../support/host-array.js";

/** A decoded frame with its place in the file. */
export interface VideoFrame {
  /** presentation time in seconds, as the file says it */
  readonly timeS: number;
  /** uint8 `[3, height, width]`, RGB in [0, 255] */
  readonly image: HostArray;
}

/** An open video file. Calls run to their end without yielding, so they cannot disturb each other. */
export interface VideoFile {
  /**
   * The frame whose presentation time is nearest to `timeS`. Times in ascending order are cheapest: a frame that follows
   * closely is reached by decoding on, any other from the key frame before it.
   *
   * @throws Error saying what is wrong if the file is damaged on the way there
   */
  nearestFrame(timeS: number): VideoFrame;
  close(): void;
}

/** What is able to decode videos; the one place to put another decoder. */
export interface VideoBackend {
  /** @throws Error saying what is wrong if there is no file, or none with a video that can be decoded */
  open(path: string): VideoFile;
}
