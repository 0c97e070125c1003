import type { CodecContext, FormatContext, Frame, Packet, SoftwareScaleContext, Stream } from "node-av/lib";
import { checkResult, type NodeAv } from "../../data/node-av-decoder.js";
import type { HostArray } from "../../support/host-array.js";

/** imageio's quality, at a preset that takes a tenth of the default's time for pictures of few colours. */
const OPTIONS = { crf: "25", preset: "veryfast" };

export interface VideoFormat {
  /** even, as the colours are stored for blocks of two by two */
  readonly width: number;
  readonly height: number;
  /** frames per second, a whole number */
  readonly fps: number;
}

/**
 * Encodes frames into an mp4 that every browser plays: H.264 by x264, yuv420p, its index in front (`faststart`), frame `i`
 * shown at `i / fps`. LeRobot's `write_video` gives the same format, through imageio.
 *
 * Every method runs to its end on the calling thread; the encoder has threads of its own. One of `finish` and `abandon` has to
 * be called.
 */
export class H264Encoder {
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
  constructor(av: NodeAv, path: string, size: VideoFormat) {
    const { lib, constants } = av;
    this.#av = av;
    this.#size = size;
    this.#format = new lib.FormatContext();
    this.#codec = new lib.CodecContext();
    this.#scaler = new lib.SoftwareScaleContext();
    this.#packet = new lib.Packet();
    this.#rgb = new lib.Frame();
    this.#yuv = new lib.Frame();
    try {
      this.#check(this.#format.allocOutputContext2(null, "mp4", `file:${path}`), "an mp4 cannot be made");
      this.#check(this.#format.openOutputSync(), "it cannot be opened for writing");
      this.#stream = this.#openCodec();
      this.#check(
        this.#format.writeHeaderSync(lib.Dictionary.fromObject({ movflags: "faststart" })),
        "its header cannot be written",
      );
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

  /** @param image uint8 `[3, height, width]`; copied */
  add(image: HostArray): void {
    const { width, height } = this.#size;
    const [rows, stride] = [this.#rgb.data?.[0], this.#rgb.linesize[0]];
    if (rows === undefined || stride === undefined) throw new Error("internal: a frame without memory");
    const [planes, plane] = [image.data as Uint8Array, width * height];
    for (let y = 0, from = 0; y < height; y++) {
      for (let x = 0, at = y * stride; x < width; x++, from++, at += 3) {
        rows[at] = planes[from]!;
        rows[at + 1] = planes[from + plane]!;
        rows[at + 2] = planes[from + 2 * plane]!;
      }
    }
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

  #openCodec(): Stream {
    const { lib, constants } = this.#av;
    const { width, height, fps } = this.#size;
    const encoder = lib.Codec.findEncoderByName(constants.FF_ENCODER_LIBX264);
    if (encoder === null) throw new Error("this FFmpeg has no encoder libx264");
    this.#codec.allocContext3(encoder);
    this.#codec.width = width;
    this.#codec.height = height;
    this.#codec.pixelFormat = constants.AV_PIX_FMT_YUV420P;
    this.#codec.timeBase = new lib.Rational(1, fps);
    this.#codec.framerate = new lib.Rational(fps, 1);
    this.#codec.setFlags(constants.AV_CODEC_FLAG_GLOBAL_HEADER);
    // Not as a dictionary: node-av frees one that is given to open2Sync twice.
    for (const [name, value] of Object.entries(OPTIONS)) {
      this.#check(this.#codec.setOption(name, value), `its ${name} cannot be set`);
    }
    this.#check(
      this.#codec.open2Sync(encoder, null),
      `the H.264 encoder refuses ${width}x${height} at ${fps} frames/s`,
    );
    const stream = this.#format.newStream(encoder);
    stream.timeBase = this.#codec.timeBase;
    this.#check(stream.codecpar.fromContext(this.#codec), "its parameters cannot be used");
    return stream;
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
