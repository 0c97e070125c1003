import type { CodecContext, FormatContext, Frame, Packet, SoftwareScaleContext } from "node-av/lib";
import { DatasetError, messageOf } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import { planarFromPacked } from "./planar-rgb.js";
import type { VideoBackend, VideoFile, VideoFrame } from "./video-backend.js";

/** The modules of node-av, which are heavy and therefore loaded with the first video. */
interface NodeAv {
  readonly lib: typeof import("node-av/lib");
  readonly constants: typeof import("node-av/constants");
}

/** A frame this many frame intervals ahead is reached by decoding on instead of seeking: the usual group is 2 frames. */
const REACH_IN_FRAMES = 4;
/** How far to look back, in seconds, when a key frame turns out to be shown after the time that was sought. */
const LOOK_BACKS_S = [0, 1, 4, 16, Number.POSITIVE_INFINITY] as const;

/** Loads FFmpeg. @throws DatasetError if its library is not installed or does not fit this platform */
export async function createNodeAvBackend(): Promise<VideoBackend> {
  try {
    const [lib, constants] = await Promise.all([import("node-av/lib"), import("node-av/constants")]);
    // Everything FFmpeg would print on the terminal arrives as an error of ours, with the file's name.
    lib.Log.setLevel(constants.AV_LOG_QUIET);
    const av = { lib, constants };
    return { open: (path) => NodeAvFile.open(av, path) };
  } catch (error) {
    throw new DatasetError(
      `video: expected the package node-av to be usable on this machine, got an error (${messageOf(error)}). ` +
        'Install it with "npm install node-av", or read the dataset without cameras',
    );
  }
}

/** A frame in the decoder's own pixel format, reused from one decode to the next. */
interface Slot {
  readonly frame: Frame;
  timeS: number;
  /** decoded from damaged data, or from a frame that was */
  isDamaged: boolean;
}

class NodeAvFile implements VideoFile {
  readonly #av: NodeAv;
  readonly #format: FormatContext;
  readonly #codec: CodecContext;
  readonly #packet: Packet;
  readonly #streamIndex: number;
  /** seconds per unit of the file's timestamps */
  readonly #timeBaseS: number;
  /** seconds between two frames, 0 if the file does not say */
  readonly #intervalS: number;
  /** the two frames decoded last, `#current` after `#previous` */
  #current: Slot | undefined;
  #previous: Slot | undefined;
  #spare: Slot[];
  #isAtEnd = false;
  #isDamaged = false;
  readonly #scaler: SoftwareScaleContext;

  private constructor(av: NodeAv, format: FormatContext, codec: CodecContext, streamIndex: number) {
    this.#av = av;
    this.#format = format;
    this.#codec = codec;
    this.#streamIndex = streamIndex;
    const { timeBase, avgFrameRate } = format.streams[streamIndex]!;
    this.#timeBaseS = timeBase.num / timeBase.den;
    this.#intervalS = avgFrameRate.num > 0 && avgFrameRate.den > 0 ? avgFrameRate.den / avgFrameRate.num : 0;
    this.#packet = new av.lib.Packet();
    this.#packet.alloc();
    this.#scaler = new av.lib.SoftwareScaleContext();
    this.#scaler.allocContext();
    this.#scaler.setOption("sws_flags", "bilinear");
    this.#spare = [0, 1, 2].map(() => {
      const frame = new av.lib.Frame();
      frame.alloc();
      return { frame, timeS: 0, isDamaged: false };
    });
  }

  static open(av: NodeAv, path: string): NodeAvFile {
    const { lib, constants } = av;
    const format = new lib.FormatContext();
    let codec: CodecContext | undefined;
    try {
      check(av, format.openInputSync(path), "it cannot be opened as a video");
      check(av, format.findStreamInfoSync(), "its streams cannot be read");
      const streamIndex = format.findBestStream(constants.AVMEDIA_TYPE_VIDEO);
      const stream = format.streams[streamIndex];
      if (stream === undefined || stream.timeBase.num <= 0 || stream.timeBase.den <= 0) {
        throw new Error("it holds no video stream");
      }
      const decoder = lib.Codec.findDecoder(stream.codecpar.codecId);
      if (decoder === null) throw new Error("its codec is not known to this FFmpeg");
      codec = new lib.CodecContext();
      codec.allocContext3(decoder);
      check(av, codec.parametersToContext(stream.codecpar), "its codec parameters cannot be used");
      // One thread is faster for random access, and callers run several files or workers at once.
      codec.threadCount = 1;
      check(av, codec.open2Sync(decoder, null), `its codec ${decoder.name} cannot be opened`);
      return new NodeAvFile(av, format, codec, streamIndex);
    } catch (error) {
      codec?.freeContext();
      format.closeInputSync();
      throw error;
    }
  }

  nearestFrame(timeS: number): VideoFrame {
    if (!this.#isReachable(timeS)) this.#seek(timeS);
    while (this.#current === undefined || this.#current.timeS < timeS - this.#marginS) {
      if (!this.#advance()) break;
    }
    const [previous, current] = [this.#previous, this.#current];
    if (current === undefined) throw new Error("it holds no frame that can be decoded");
    const isPreviousNearer =
      previous !== undefined && Math.abs(previous.timeS - timeS) < Math.abs(current.timeS - timeS);
    const { frame, timeS: foundS, isDamaged } = isPreviousNearer ? previous : current;
    if (isDamaged) throw new Error("its data is damaged there");
    return { timeS: foundS, image: this.#toRgb(frame) };
  }

  close(): void {
    for (const slot of [this.#current, this.#previous, ...this.#spare]) slot?.frame.free();
    this.#current = undefined;
    this.#previous = undefined;
    this.#spare = [];
    this.#scaler.freeContext();
    this.#packet.free();
    this.#codec.freeContext();
    this.#format.closeInputSync();
  }

  /** A frame this near to a time is the nearest there is. */
  get #marginS(): number {
    return this.#intervalS / 4;
  }

  #isReachable(timeS: number): boolean {
    const earliest = this.#previous ?? this.#current;
    if (earliest === undefined || this.#current === undefined) return false;
    return timeS >= earliest.timeS - this.#marginS && timeS <= this.#current.timeS + REACH_IN_FRAMES * this.#intervalS;
  }

  /** Decodes the first frame from the last key frame that is shown at or before a time. */
  #seek(timeS: number): void {
    for (const lookBackS of LOOK_BACKS_S) {
      const isStart = timeS - lookBackS <= 0;
      const target = isStart ? 0n : BigInt(Math.round((timeS - lookBackS) / this.#timeBaseS));
      this.#forget();
      const flags = this.#av.constants.AVSEEK_FLAG_BACKWARD;
      const result = this.#format.seekFrameSync(this.#streamIndex, target, flags);
      if (isStart) check(this.#av, result, "it cannot be searched");
      this.#codec.flushBuffers();
      // FFmpeg's HEVC decoder hands out a frame from before the flush.
      while (this.#codec.receiveFrameSync(this.#spare[0]!.frame) === 0);
      if (result < 0 || !this.#advance()) continue;
      if (isStart || this.#current!.timeS <= timeS + this.#marginS) return;
    }
  }

  #forget(): void {
    for (const slot of [this.#previous, this.#current]) if (slot !== undefined) this.#spare.push(slot);
    this.#previous = undefined;
    this.#current = undefined;
    this.#isAtEnd = false;
    this.#isDamaged = false;
  }

  /** Decodes the next frame into `#current`. @returns false at the end of the file */
  #advance(): boolean {
    const { AVERROR_EAGAIN, AVERROR_EOF } = this.#av.constants;
    const slot = this.#spare.at(-1)!;
    for (;;) {
      const result = this.#codec.receiveFrameSync(slot.frame);
      if (result === AVERROR_EOF) return false;
      if (result === AVERROR_EAGAIN) {
        this.#feed();
        continue;
      }
      check(this.#av, result, "its data cannot be decoded");
      if (this.#accept(slot)) return true;
    }
  }

  /** Takes a slot that was decoded into; a frame without a time cannot be asked for and is passed over. */
  #accept(slot: Slot): boolean {
    const { frame } = slot;
    const { AV_NOPTS_VALUE, AV_FRAME_FLAG_CORRUPT, AV_FRAME_FLAG_KEY } = this.#av.constants;
    const hasErrors = frame.decodeErrorFlags !== 0 || frame.hasFlags(AV_FRAME_FLAG_CORRUPT);
    // What is damaged stays so for all frames predicted from it, until the next key frame.
    this.#isDamaged = hasErrors || (this.#isDamaged && !frame.hasFlags(AV_FRAME_FLAG_KEY));
    const pts = frame.pts === AV_NOPTS_VALUE ? frame.bestEffortTimestamp : frame.pts;
    if (pts === AV_NOPTS_VALUE) return false;
    this.#spare.pop();
    if (this.#previous !== undefined) this.#spare.push(this.#previous);
    this.#previous = this.#current;
    this.#current = slot;
    slot.timeS = Number(pts) * this.#timeBaseS;
    slot.isDamaged = this.#isDamaged;
    return true;
  }

  /** Gives the decoder one more packet, or at the end of the file the order to hand out what it holds. */
  #feed(): void {
    const { constants } = this.#av;
    for (;;) {
      const result = this.#isAtEnd ? constants.AVERROR_EOF : this.#format.readFrameSync(this.#packet);
      if (result === constants.AVERROR_EOF) {
        if (this.#isAtEnd) throw new Error("its data ends too early");
        this.#isAtEnd = true;
        check(this.#av, this.#codec.sendPacketSync(null), "its data cannot be decoded");
        return;
      }
      check(this.#av, result, "its data cannot be read");
      try {
        // The decoder would take an empty packet for the end of the file.
        if (this.#packet.streamIndex !== this.#streamIndex || this.#packet.size === 0) continue;
        if ((this.#packet.flags & constants.AV_PKT_FLAG_CORRUPT) !== 0) throw new Error("its data is cut off there");
        check(this.#av, this.#codec.sendPacketSync(this.#packet), "its data cannot be decoded");
        return;
      } finally {
        this.#packet.unref();
      }
    }
  }

  /**
   * The bytes that PyAV's `to_ndarray("rgb24")` gives: no scaling flag but the bilinear one, the frame's own colour matrix
   * and range, and no conversion of primaries or transfer curves.
   */
  #toRgb(frame: Frame): HostArray {
    const { AVCOL_PRI_UNSPECIFIED, AVCOL_TRC_UNSPECIFIED, AV_PIX_FMT_RGB24 } = this.#av.constants;
    frame.colorPrimaries = AVCOL_PRI_UNSPECIFIED;
    frame.colorTrc = AVCOL_TRC_UNSPECIFIED;
    const rgb = new this.#av.lib.Frame();
    try {
      rgb.alloc();
      rgb.width = frame.width;
      rgb.height = frame.height;
      rgb.format = AV_PIX_FMT_RGB24;
      check(this.#av, rgb.getBuffer(), "there is no memory for a frame");
      check(this.#av, this.#scaler.scaleFrameSync(rgb, frame), "the colours of a frame cannot be converted");
      const [packed, stride] = [rgb.data?.[0], rgb.linesize[0]];
      if (packed === undefined || stride === undefined) throw new Error("a decoded frame holds no picture");
      return planarFromPacked(packed, rgb.width, rgb.height, stride);
    } finally {
      rgb.free();
    }
  }
}

/** @throws Error with FFmpeg's text for a negative result */
function check(av: NodeAv, result: number, problem: string): void {
  if (result < 0) throw new Error(`${problem}: ${av.lib.FFmpegError.strerror(result)}`);
}
