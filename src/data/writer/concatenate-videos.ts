import type { FormatContext, Packet } from "node-av/lib";
import { checkResult, type NodeAv } from "../node-av-decoder.js";

/** A video to be joined to others. */
export interface VideoPart {
  readonly path: string;
  readonly numFrames: number;
}

/**
 * Joins videos of one camera into an mp4 without encoding them again, its index at the front. Frame `i` of all is shown at
 * `i / fps`.
 *
 * @throws Error saying what is wrong if a file cannot be read or written
 */
export function concatenateVideos(av: NodeAv, parts: readonly VideoPart[], target: string, fps: number): void {
  const { lib } = av;
  const output = new lib.FormatContext();
  const packet = new lib.Packet();
  packet.alloc();
  try {
    checkResult(av, output.allocOutputContext2(null, "mp4", `file:${target}`), "an mp4 cannot be made");
    checkResult(av, output.openOutputSync(), "it cannot be opened for writing");
    let numFrames = 0;
    for (const part of parts) {
      appendVideo(av, output, packet, part.path, numFrames, fps);
      numFrames += part.numFrames;
    }
    checkResult(av, output.writeTrailerSync(), "its index cannot be written");
  } finally {
    packet.free();
    output.closeOutputSync();
  }
}

/** Copies the packets of a video; the first one also gives the output its stream. */
function appendVideo(
  av: NodeAv,
  output: FormatContext,
  packet: Packet,
  path: string,
  numFramesBefore: number,
  fps: number,
): void {
  const { lib, constants } = av;
  const input = new lib.FormatContext();
  try {
    checkResult(av, input.openInputSync(`file:${path}`), "an episode's video cannot be opened");
    checkResult(av, input.findStreamInfoSync(), "an episode's video cannot be read");
    const source = input.streams[0];
    if (source === undefined) throw new Error("internal: an episode's video without a stream");
    let target = output.streams[0];
    if (target === undefined) {
      target = output.newStream();
      checkResult(av, source.codecpar.copy(target.codecpar), "its parameters cannot be used");
      target.timeBase = new lib.Rational(1, fps);
      const options = lib.Dictionary.fromObject({ movflags: "faststart" });
      checkResult(av, output.writeHeaderSync(options), "its header cannot be written");
    }
    // The muxer has chosen its own unit of time by now, a whole part of 1 / fps.
    const { num, den } = target.timeBase;
    const offset = BigInt(Math.round((numFramesBefore * den) / (num * fps)));
    for (;;) {
      const result = input.readFrameSync(packet);
      if (result === constants.AVERROR_EOF) return;
      checkResult(av, result, "an episode's video cannot be read");
      packet.rescaleTs(source.timeBase, target.timeBase);
      packet.pts += offset;
      packet.dts += offset;
      packet.streamIndex = target.index;
      checkResult(av, output.interleavedWriteFrameSync(packet), "a frame cannot be written");
    }
  } finally {
    input.closeInputSync();
  }
}
