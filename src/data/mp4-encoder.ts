import type { CodecContext, FormatContext, Frame, Packet, SoftwareScaleContext, Stream } from "node-av/lib";
import { checkResult, type NodeAv } from "./node-av-decoder.js";
import { restoreOrdinaryPriority } from "./ordinary-priority.js";

/** How frames become a video; colours are yuv420p always. */
export interface EncodingRecipe {
  /** FFmpeg's name */
  readonly encoder: "libsvtav1" | "libx264";
  /** frames from one key frame to the next; the encoder's choice if left out */
  readonly groupSize?: number;
  readonly options: Readonly<Record<string, string>>;
  /** of the mp4 file */
  readonly muxer?: Readonly<Record<string, string>>;
}

/**
 * LeRobot's datasets: a key frame in every two frames makes any frame cheap to reach. `lp=1` is not LeRobot's: with more
 * threads SVT-AV1 3.1.2 exchanged two frames, 25 apart, in about one of 100 short videos on a busy machine, and in none of 750 with it.
 */
export const DATASET_VIDEO: EncodingRecipe = {
  encoder: "libsvtav1",
  groupSize: 2,
  options: { crf: "30", preset: "12", "svtav1-params": "lp=1" },
};

/**
 * What every browser plays, its index in front. LeRobot's `write_video` gives the same format, through imageio; the preset takes
 * a tenth of the default's time for pictures of few colours.
 */
export const BROWSER_VIDEO: EncodingRecipe = {
  encoder: "libx264",
  options: { crf: "25", preset: "veryfast" },
  muxer: { movflags: "faststart" },
};

const ENCODERS = {
  libsvtav1: ({ FF_ENCODER_LIBSVTAV1 }: NodeAv["constants"]) => FF_ENCODER_LIBSVTAV1,
  libx264: ({ FF_ENCODER_LIBX264 }: NodeAv["constants"]) => FF_ENCODER_LIBX264,
};

/** Size and rate of a video. */
export interface VideoFormat {
  /** even for x264, which keeps colours for blocks of two by two */
  readonly width: number;
  readonly height: number;
  /** frames per second, a whole number */
  readonly fps: number;
}

/**
 * Encodes frames into an mp4. Frame `i` is shown at `i / fps`.
 *
 * Every method runs to its end on the calling thread; the encoder has threads of its own. One of `finish` and `abandon` has to
 * be called.
 */
export class Mp4Encoder {
  readonly #av: NodeAv;
  readonly #format: FormatContext;
  readonly #codec: CodecContext;
  readonly #scaler: SoftwareScaleContext;
  readonly #packet: Packet;
  readonly #rgb: Frame;
  readonly #yuv: Frame;
  readonly #stream: Stream;
  readonly #size: VideoFormat;
  #numFrames = 0;
  #isOpen = true;

  /** @throws Error saying what is wrong if the file cannot be made or the encoder refuses the size */
  constructor(av: NodeAv, path: string, size: VideoFormat, recipe: EncodingRecipe) {
    const { lib, constants } = av;
    const { width, height, fps } = size;
    this.#av = av;
    this.#size = size;
    this.#format = new lib.FormatContext();
    this.#codec = new lib.CodecContext();
    this.#scaler = new lib.SoftwareScaleContext();
    this.#packet = new lib.Packet();
    this.#rgb = new lib.Frame();
    this.#yuv = new lib.Frame();
    try {
      const encoder = lib.Codec.findEncoderByName(ENCODERS[recipe.encoder](constants));
      if (encoder === null) throw new Error(`this FFmpeg has no encoder ${recipe.encoder}`);
      this.#check(this.#format.allocOutputContext2(null, "mp4", `file:${path}`), "an mp4 cannot be made");
      this.#check(this.#format.openOutputSync(), "it cannot be opened for writing");
      this.#codec.allocContext3(encoder);
      this.#codec.width = width;
      this.#codec.height = height;
      this.#codec.pixelFormat = constants.AV_PIX_FMT_YUV420P;
      this.#codec.timeBase = new lib.Rational(1, fps);
      this.#codec.framerate = new lib.Rational(fps, 1);
      if (recipe.groupSize !== undefined) this.#codec.gopSize = recipe.groupSize;
      this.#codec.setFlags(constants.AV_CODEC_FLAG_GLOBAL_HEADER);
      // Not as a dictionary: node-av frees one that is given to open2Sync twice.
      for (const [name, value] of Object.entries(recipe.options)) {
        this.#check(this.#codec.setOption(name, value), `its ${name} cannot be set`);
      }
      this.#check(
        this.#codec.open2Sync(encoder, null),
        `${recipe.encoder} refuses ${width}x${height} at ${fps} frames/s`,
      );
      restoreOrdinaryPriority();
      this.#stream = this.#format.newStream(encoder);
      this.#stream.timeBase = this.#codec.timeBase;
      this.#check(this.#stream.codecpar.fromContext(this.#codec), "its parameters cannot be used");
      const muxer = recipe.muxer && lib.Dictionary.fromObject(recipe.muxer);
      this.#check(this.#format.writeHeaderSync(muxer), "its header cannot be written");
      this.#packet.alloc();
      this.#scaler.allocContext();
      this.#scaler.setOption("sws_flags", "bilinear");
      this.#allocate(this.#rgb, constants.AV_PIX_FMT_RGB24);
      this.#allocate(this.#yuv, constants.AV_PIX_FMT_YUV420P);
    } catch (error) {
      this.#free();
      throw error;
    }
  }

  /** @param packed RGB, `[height, width, 3]`; copied */
  add(packed: Uint8Array): void {
    const [rows, stride] = [this.#rgb.data?.[0], this.#rgb.linesize[0]];
    if (rows === undefined || stride === undefined) throw new Error("internal: a frame without memory");
    const rowBytes = 3 * this.#size.width;
    for (let y = 0; y < this.#size.height; y++) rows.set(packed.subarray(y * rowBytes, (y + 1) * rowBytes), y * stride);
    this.#check(this.#yuv.makeWritable(), "there is no memory for a frame");
    this.#check(this.#scaler.scaleFrameSync(this.#yuv, this.#rgb), "the colours of a frame cannot be converted");
    this.#yuv.pts = BigInt(this.#numFrames++);
    this.#check(this.#codec.sendFrameSync(this.#yuv), "a frame cannot be encoded");
    this.#drain();
  }

  /** Completes the file. */
  finish(): void {
    try {
      this.#check(this.#codec.sendFrameSync(null), "the last frames cannot be encoded");
      this.#drain();
      this.#check(this.#format.writeTrailerSync(), "its index cannot be written");
    } finally {
      this.#free();
    }
  }

  /** Gives up; the file is no video. */
  abandon(): void {
    this.#free();
  }

  #drain(): void {
    const { AVERROR_EAGAIN, AVERROR_EOF } = this.#av.constants;
    for (;;) {
      const result = this.#codec.receivePacketSync(this.#packet);
      if (result === AVERROR_EAGAIN || result === AVERROR_EOF) return;
      this.#check(result, "a frame cannot be encoded");
      // Without it the last frame has none, and readers compute another frame rate.
      this.#packet.duration = 1n;
      this.#packet.rescaleTs(this.#codec.timeBase, this.#stream.timeBase);
      this.#packet.streamIndex = this.#stream.index;
      this.#check(this.#format.interleavedWriteFrameSync(this.#packet), "a frame cannot be written");
    }
  }

  #allocate(frame: Frame, format: Frame["format"]): void {
    frame.alloc();
    frame.width = this.#size.width;
    frame.height = this.#size.height;
    frame.format = format;
    this.#check(frame.getBuffer(), "there is no memory for a frame");
  }

  #check(result: number, problem: string): void {
    checkResult(this.#av, result, problem);
  }

  #free(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#rgb.free();
    this.#yuv.free();
    this.#packet.free();
    this.#scaler.freeContext();
    this.#codec.freeContext();
    this.#format.closeOutputSync();
  }
}
