import type { AVPixelFormat } from "node-av/constants";
import * as constants from "node-av/constants";
import {
  Codec,
  CodecContext,
  Dictionary,
  FormatContext,
  Frame,
  Log,
  Packet,
  Rational,
  SoftwareScaleContext,
} from "node-av/lib";
import { planarFromPacked } from "../planar-rgb.js";

/** How a test video is encoded. */
export interface VideoRecipe {
  readonly encoder: string;
  readonly pixelFormat: AVPixelFormat;
  readonly options: Readonly<Record<string, string>>;
  /** frames from one key frame to the next */
  readonly gopSize: number;
}

/** H.264 that loses nothing: frames come back as they went in, while most are predicted from others. */
export const LOSSLESS: VideoRecipe = {
  encoder: "libx264rgb",
  pixelFormat: constants.AV_PIX_FMT_BGR24,
  options: { qp: "0" },
  gopSize: 6,
};

/** H.264 whose frames are stored in another order than they are shown. */
export const REORDERED: VideoRecipe = {
  encoder: "libx264",
  pixelFormat: constants.AV_PIX_FMT_YUV420P,
  options: { crf: "20", bf: "3", "x264-params": "open-gop=1" },
  gopSize: 12,
};

/** What LeRobot records. */
export const AV1: VideoRecipe = {
  encoder: "libsvtav1",
  pixelFormat: constants.AV_PIX_FMT_YUV420P,
  options: { crf: "30", preset: "12" },
  gopSize: 2,
};

/** Packed RGB, `[height, width, 3]`, of a picture that differs in every pixel from frame to frame. */
export function picture(frame: number, width: number, height: number): Uint8Array {
  const packed = new Uint8Array(3 * width * height);
  for (let i = 0; i < packed.length; i++) packed[i] = (i * 7 + frame * 29 + ((i * frame) % 13)) % 256;
  return packed;
}

/** The same picture as a dataset item holds it: uint8 `[3, height, width]`. */
export const planarPicture = (frame: number, width: number, height: number): Uint8Array =>
  planarFromPacked(picture(frame, width, height), width, height, 3 * width).data as Uint8Array;

// The AV1 encoder reads this when it starts, and else prints its settings on the terminal.
process.env.SVT_LOG ??= "0";

const check = (result: number): void => {
  if (result < 0) throw new Error(`internal: the test video cannot be written (${result})`);
};

/** Writes an mp4 whose frame `i` shows `picture(firstPicture + i)` at time `i / fps`. */
export function writeVideo(
  path: string,
  size: { readonly numFrames: number; readonly width: number; readonly height: number; readonly fps: number },
  recipe: VideoRecipe = LOSSLESS,
  firstPicture = 0,
): void {
  const { numFrames, width, height, fps } = size;
  Log.setLevel(constants.AV_LOG_QUIET);
  const format = new FormatContext();
  check(format.allocOutputContext2(null, "mp4", path));
  check(format.openOutputSync());
  const encoder = Codec.findEncoderByName(recipe.encoder as Parameters<typeof Codec.findEncoderByName>[0]);
  if (encoder === null) throw new Error(`internal: this FFmpeg has no encoder ${recipe.encoder}`);
  const codec = new CodecContext();
  codec.allocContext3(encoder);
  codec.width = width;
  codec.height = height;
  codec.pixelFormat = recipe.pixelFormat;
  codec.timeBase = new Rational(1, fps);
  codec.framerate = new Rational(fps, 1);
  codec.gopSize = recipe.gopSize;
  codec.threadCount = 1;
  codec.setFlags(constants.AV_CODEC_FLAG_GLOBAL_HEADER);
  // Not as a dictionary: node-av frees one that is given to open2Sync twice.
  for (const [name, value] of Object.entries(recipe.options)) check(codec.setOption(name, value));
  check(codec.open2Sync(encoder, null));
  const stream = format.newStream(encoder);
  stream.timeBase = codec.timeBase;
  check(stream.codecpar.fromContext(codec));
  check(format.writeHeaderSync(Dictionary.fromObject({ movflags: "faststart" })));
  const packet = new Packet();
  packet.alloc();
  const drain = (): void => {
    while (codec.receivePacketSync(packet) === 0) {
      packet.duration = 1n;
      packet.rescaleTs(codec.timeBase, stream.timeBase);
      packet.streamIndex = stream.index;
      check(format.interleavedWriteFrameSync(packet));
    }
  };
  const scaler = new SoftwareScaleContext();
  scaler.allocContext();
  for (let i = 0; i < numFrames; i++) {
    const packed = Buffer.from(picture(firstPicture + i, width, height));
    const rgb = Frame.fromVideoBuffer(packed, { width, height, format: constants.AV_PIX_FMT_RGB24 });
    const frame = new Frame();
    frame.alloc();
    frame.width = width;
    frame.height = height;
    frame.format = recipe.pixelFormat;
    check(frame.getBuffer());
    check(scaler.scaleFrameSync(frame, rgb));
    frame.pts = BigInt(i);
    check(codec.sendFrameSync(frame));
    drain();
    frame.free();
    rgb.free();
  }
  check(codec.sendFrameSync(null));
  drain();
  check(format.writeTrailerSync());
  scaler.freeContext();
  packet.free();
  codec.freeContext();
  format.closeOutputSync();
}
