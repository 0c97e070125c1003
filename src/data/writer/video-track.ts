import { rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolder } from "../../support/make-folder.js";
import { DATASET_VIDEO, Mp4Encoder, type VideoFormat } from "../mp4-encoder.js";
import type { NodeAv } from "../node-av-decoder.js";
import { concatenateVideos, type VideoPart } from "./concatenate-videos.js";
import { FIRST_FILE, type FilePosition, nextFile, pathOfFile } from "./file-position.js";
import { syncFile } from "./sync-file.js";

/** Where a camera's videos go and how large they get. */
export interface VideoTrackOptions extends VideoFormat {
  /** folder of the camera's finished files */
  readonly folder: string;
  /** beginning of the paths of what is not finished */
  readonly scratch: string;
  readonly capBytes: number;
  readonly chunksSize: number;
}

/** Where an episode of a camera lies. */
export interface VideoPlace {
  readonly position: FilePosition;
  /** its first frame, and one after its last, in seconds of the file */
  readonly fromTimestampS: number;
  readonly toTimestampS: number;
}

/**
 * The videos of one camera: each episode is encoded alone while it is recorded; a file's episodes are joined once, when the
 * next one would make it larger than the cap.
 */
export class VideoTrack {
  readonly #av: NodeAv;
  readonly #options: VideoTrackOptions;
  #encoder: Mp4Encoder | undefined;
  #position = FIRST_FILE;
  #parts: VideoPart[] = [];
  #sizeBytes = 0;
  #numEpisodes = 0;
  #numFrames = 0;

  constructor(av: NodeAv, options: VideoTrackOptions) {
    this.#av = av;
    this.#options = options;
  }

  /** @param packed RGB, `[height, width, 3]` */
  add(packed: Uint8Array): void {
    this.#encoder ??= new Mp4Encoder(this.#av, this.#episodePath, this.#options, DATASET_VIDEO);
    this.#encoder.add(packed);
    this.#numFrames++;
  }

  /** Ends the present episode. */
  async endEpisode(): Promise<VideoPlace> {
    const { capBytes, chunksSize, fps } = this.#options;
    this.#encoder?.finish();
    this.#encoder = undefined;
    const part = { path: this.#episodePath, numFrames: this.#numFrames };
    const { size } = await stat(part.path);
    if (this.#parts.length > 0 && this.#sizeBytes + size >= capBytes) {
      await this.#closeFile();
      this.#position = nextFile(this.#position, chunksSize);
    }
    const numBefore = this.#parts.reduce((sum, { numFrames }) => sum + numFrames, 0);
    this.#parts.push(part);
    this.#sizeBytes += size;
    this.#numEpisodes++;
    this.#numFrames = 0;
    return {
      position: this.#position,
      fromTimestampS: numBefore / fps,
      toTimestampS: (numBefore + part.numFrames) / fps,
    };
  }

  /** Forgets the present episode. */
  discardEpisode(): void {
    this.#encoder?.abandon();
    this.#encoder = undefined;
    this.#numFrames = 0;
  }

  /** Completes the last file. */
  async close(): Promise<void> {
    if (this.#parts.length > 0) await this.#closeFile();
  }

  get #episodePath(): string {
    return `${this.#options.scratch}-${this.#numEpisodes}.mp4`;
  }

  async #closeFile(): Promise<void> {
    const path = join(this.#options.folder, pathOfFile(this.#position, "mp4"));
    await makeFolder(dirname(path));
    concatenateVideos(this.#av, this.#parts, path, this.#options.fps);
    await syncFile(path);
    for (const part of this.#parts) await rm(part.path);
    this.#parts = [];
    this.#sizeBytes = 0;
  }
}
