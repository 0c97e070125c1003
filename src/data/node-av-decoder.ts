import type { CodecContext, FormatContext, Frame, Packet, Stream } from "node-av/lib";
import { expectFile } from "../support/expect-file.js";
import { MOST_PIXELS } from "./picture-limit.js";

/** The modules of node-av, which are heavy and therefore loaded with the first video. */
export interface NodeAv {
  readonly lib: typeof import("node-av/lib");
  readonly constants: typeof import("node-av/constants");
}

/** What the decoder says about a frame that it has just put into a frame of the caller's. */
export interface DecodedFrame {
  /** presentation time in seconds, as the file says it */
  readonly timeS: number;
  /** decoded from damaged data, or predicted from a frame that was */
  readonly isDamaged: boolean;
}

/** @throws Error with FFmpeg's text for a negative result */
export function checkResult(av: NodeAv, result: number, problem: string): void {
  if (result < 0) throw new Error(`${problem}: ${av.lib.FFmpegError.strerror(result)}`);
}

/**
 * The video stream of a file as a sequence of frames in the order in which they are shown.
 *
 * Every method runs to its end on the calling thread: node-av's asynchronous calls would take a trip through the thread
 * pool per packet and could be interrupted by another call on the same decoder.
 */
export class NodeAvDecoder {
  /** seconds between two frames, 0 if the file does not say */
  readonly intervalS: number;
  readonly #av: NodeAv;
  readonly #format: FormatContext;
  readonly #codec: CodecContext;
  readonly #packet: Packet;
  readonly #streamIndex: number;
  /** seconds per unit of the file's timestamps */
  readonly #timeBaseS: number;
  #isAtEnd = false;
  #isDamaged = false;

  private constructor(av: NodeAv, format: FormatContext, codec: CodecContext, stream: Stream) {
    this.#av = av;
    this.#format = format;
    this.#codec = codec;
    this.#streamIndex = stream.index;
    const { timeBase, avgFrameRate } = stream;
    this.#timeBaseS = timeBase.num / timeBase.den;
    this.intervalS = avgFrameRate.num > 0 && avgFrameRate.den > 0 ? avgFrameRate.den / avgFrameRate.num : 0;
    this.#packet = new av.lib.Packet();
    this.#packet.alloc();
  }

  /** @throws Error saying what is wrong if there is no file, or none with a video that can be decoded */
  static open(av: NodeAv, path: string): NodeAvDecoder {
    expectFile(path);
    const { lib, constants } = av;
    const format = new lib.FormatContext();
    let codec: CodecContext | undefined;
    try {
      // With the protocol's name, a path with a colon in it is still a path.
      checkResult(av, format.openInputSync(`file:${path}`), "it cannot be opened as a video");
      checkResult(av, format.findStreamInfoSync(), "its streams cannot be read");
      const stream = format.streams[format.findBestStream(constants.AVMEDIA_TYPE_VIDEO)];
      if (stream === undefined || stream.timeBase.num <= 0 || stream.timeBase.den <= 0) {
        throw new Error("it holds no video stream");
      }
      const decoder = lib.Codec.findDecoder(stream.codecpar.codecId);
      if (decoder === null) throw new Error("its codec is not known to this FFmpeg");
      codec = new lib.CodecContext();
      codec.allocContext3(decoder);
      checkResult(av, codec.parametersToContext(stream.codecpar), "its codec parameters cannot be used");
      checkResult(av, codec.setOption("max_pixels", MOST_PIXELS), "its size cannot be limited");
      // One thread is faster for random access, and callers run several files or workers at once.
      codec.threadCount = 1;
      checkResult(av, codec.open2Sync(decoder, null), `its codec ${decoder.name} cannot be opened`);
      return new NodeAvDecoder(av, format, codec, stream);
    } catch (error) {
      codec?.freeContext();
      format.closeInputSync();
      throw error;
    }
  }

  /**
   * Goes to the key frame from which a time is reached; the next frame decoded is that one.
   *
   * @param scratch a frame whose content may be lost
   * @returns false if there is no such key frame; the beginning of the file, time 0, always succeeds
   */
  seek(timeS: number, scratch: Frame): boolean {
    const isStart = timeS <= 0;
    const target = isStart ? 0n : BigInt(Math.round(timeS / this.#timeBaseS));
    const result = this.#format.seekFrameSync(this.#streamIndex, target, this.#av.constants.AVSEEK_FLAG_BACKWARD);
    if (isStart) checkResult(this.#av, result, "it cannot be searched");
    this.#codec.flushBuffers();
    // FFmpeg's HEVC decoder hands out a frame from before the flush.
    while (this.#codec.receiveFrameSync(scratch) === 0);
    this.#isAtEnd = false;
    this.#isDamaged = false;
    return result >= 0;
  }

  /** Decodes the next frame. @returns undefined at the end of the file */
  decode(into: Frame): DecodedFrame | undefined {
    const { AVERROR_EAGAIN, AVERROR_EOF, AV_NOPTS_VALUE } = this.#av.constants;
    for (;;) {
      const result = this.#codec.receiveFrameSync(into);
      if (result === AVERROR_EOF) return undefined;
      if (result === AVERROR_EAGAIN) {
        this.#feed();
        continue;
      }
      checkResult(this.#av, result, "its data cannot be decoded");
      this.#followDamage(into);
      const pts = into.pts === AV_NOPTS_VALUE ? into.bestEffortTimestamp : into.pts;
      // A frame without a time cannot be asked for.
      if (pts !== AV_NOPTS_VALUE) return { timeS: Number(pts) * this.#timeBaseS, isDamaged: this.#isDamaged };
    }
  }

  close(): void {
    this.#packet.free();
    this.#codec.freeContext();
    this.#format.closeInputSync();
  }

  /** What is damaged stays so in all frames predicted from it, until the next key frame. */
  #followDamage(frame: Frame): void {
    const { AV_FRAME_FLAG_CORRUPT, AV_FRAME_FLAG_KEY } = this.#av.constants;
    const hasErrors = frame.decodeErrorFlags !== 0 || frame.hasFlags(AV_FRAME_FLAG_CORRUPT);
    this.#isDamaged = hasErrors || (this.#isDamaged && !frame.hasFlags(AV_FRAME_FLAG_KEY));
  }

  /** Gives the decoder one more packet, or at the end of the file the order to hand out what it holds. */
  #feed(): void {
    const { AVERROR_EOF, AV_PKT_FLAG_CORRUPT } = this.#av.constants;
    for (;;) {
      const result = this.#isAtEnd ? AVERROR_EOF : this.#format.readFrameSync(this.#packet);
      if (result === AVERROR_EOF) {
        if (this.#isAtEnd) throw new Error("its data ends too early");
        this.#isAtEnd = true;
        checkResult(this.#av, this.#codec.sendPacketSync(null), "its data cannot be decoded");
        return;
      }
      checkResult(this.#av, result, "its data cannot be read");
      try {
        // The decoder would take an empty packet for the end of the file.
        if (this.#packet.streamIndex !== this.#streamIndex || this.#packet.size === 0) continue;
        if ((this.#packet.flags & AV_PKT_FLAG_CORRUPT) !== 0) throw new Error("its data is cut off there");
        checkResult(this.#av, this.#codec.sendPacketSync(this.#packet), "its data cannot be decoded");
        return;
      } finally {
        this.#packet.unref();
      }
    }
  }
}
