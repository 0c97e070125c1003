import type { Frame, SoftwareScaleContext } from "node-av/lib";
import { DatasetError } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import { loadNodeAv } from "./load-node-av.js";
import { checkResult, type NodeAv, NodeAvDecoder } from "./node-av-decoder.js";
import { planarFromPacked } from "./planar-rgb.js";
import type { VideoBackend, VideoFile, VideoFrame } from "./video-backend.js";

/** A frame this many frame intervals ahead is reached by decoding on instead of seeking: the usual group is 2 frames. */
const REACH_IN_FRAMES = 4;
/** How far to look back, in seconds, when a key frame turns out to be shown after the time that was sought. */
const LOOK_BACKS_S = [0, 1, 4, 16, Number.POSITIVE_INFINITY] as const;

/** Loads FFmpeg. @throws DatasetError if its library is not installed or does not fit this platform */
export async function createNodeAvBackend(): Promise<VideoBackend> {
  const av = await loadNodeAv("read the dataset without cameras", (sentence) => new DatasetError(`video: ${sentence}`));
  return { open: (path) => new NodeAvFile(av, NodeAvDecoder.open(av, path)) };
}

/** A frame in the decoder's own pixel format, reused from one decode to the next. */
interface Slot {
  readonly frame: Frame;
  timeS: number;
  isDamaged: boolean;
}

/** A frame of packed RGB and its memory: rows of R, G, B triples, `stride` bytes apart. */
interface RgbFrame {
  readonly frame: Frame;
  readonly packed: Uint8Array;
  readonly stride: number;
}

class NodeAvFile implements VideoFile {
  readonly #av: NodeAv;
  readonly #decoder: NodeAvDecoder;
  readonly #scaler: SoftwareScaleContext;
  /** the two frames decoded last, `#current` after `#previous` */
  #current: Slot | undefined;
  #previous: Slot | undefined;
  readonly #spare: Slot[];
  #rgb: RgbFrame | undefined;

  constructor(av: NodeAv, decoder: NodeAvDecoder) {
    this.#av = av;
    this.#decoder = decoder;
    this.#scaler = new av.lib.SoftwareScaleContext();
    this.#scaler.allocContext();
    this.#scaler.setOption("sws_flags", "bilinear");
    this.#spare = [0, 1, 2].map(() => {
      const frame = new av.lib.Frame();
      frame.alloc();
      return { frame, timeS: 0, isDamaged: false };
    });
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
    const nearest = isPreviousNearer ? previous : current;
    if (nearest.isDamaged) throw new Error("its data is damaged there");
    return { timeS: nearest.timeS, image: this.#toRgb(nearest.frame) };
  }

  close(): void {
    this.#forget();
    for (const { frame } of this.#spare) frame.free();
    this.#rgb?.frame.free();
    this.#rgb = undefined;
    this.#scaler.freeContext();
    this.#decoder.close();
  }

  /** A frame this near to a time is the nearest there is. */
  get #marginS(): number {
    return this.#decoder.intervalS / 4;
  }

  #isReachable(timeS: number): boolean {
    const [earliest, latest] = [this.#previous ?? this.#current, this.#current];
    if (earliest === undefined || latest === undefined) return false;
    const reachS = REACH_IN_FRAMES * this.#decoder.intervalS;
    return timeS >= earliest.timeS - this.#marginS && timeS <= latest.timeS + reachS;
  }

  /** Decodes the first frame from the last key frame that is shown at or before a time. */
  #seek(timeS: number): void {
    for (const lookBackS of LOOK_BACKS_S) {
      this.#forget();
      const startS = Math.max(0, timeS - lookBackS);
      if (!this.#decoder.seek(startS, this.#spare[0]!.frame) || !this.#advance()) continue;
      if (startS === 0 || this.#current!.timeS <= timeS + this.#marginS) return;
    }
  }

  #forget(): void {
    for (const slot of [this.#previous, this.#current]) if (slot !== undefined) this.#spare.push(slot);
    this.#previous = undefined;
    this.#current = undefined;
  }

  /** Decodes the next frame into `#current`. @returns false at the end of the file */
  #advance(): boolean {
    const slot = this.#spare.at(-1)!;
    const decoded = this.#decoder.decode(slot.frame);
    if (decoded === undefined) return false;
    Object.assign(slot, decoded);
    this.#spare.pop();
    if (this.#previous !== undefined) this.#spare.push(this.#previous);
    this.#previous = this.#current;
    this.#current = slot;
    return true;
  }

  /**
   * The bytes that PyAV's `to_ndarray("rgb24")` gives: no scaling flag but the bilinear one, the frame's own colour matrix
   * and range, and no conversion of primaries or transfer curves.
   */
  #toRgb(frame: Frame): HostArray {
    const { AVCOL_PRI_UNSPECIFIED, AVCOL_TRC_UNSPECIFIED } = this.#av.constants;
    frame.colorPrimaries = AVCOL_PRI_UNSPECIFIED;
    frame.colorTrc = AVCOL_TRC_UNSPECIFIED;
    const { width, height } = frame;
    const rgb = this.#rgbOf(width, height);
    checkResult(this.#av, this.#scaler.scaleFrameSync(rgb.frame, frame), "the colours of a frame cannot be converted");
    return planarFromPacked(rgb.packed, width, height, rgb.stride);
  }

  /**
   * Memory for a converted frame, kept for the next one: what node-av allocates is given back only when the event loop
   * turns, which a thread that reads frame after frame may not let it do for a long time.
   */
  #rgbOf(width: number, height: number): RgbFrame {
    if (this.#rgb?.frame.width === width && this.#rgb.frame.height === height) return this.#rgb;
    this.#rgb?.frame.free();
    this.#rgb = undefined;
    const frame = new this.#av.lib.Frame();
    frame.alloc();
    frame.width = width;
    frame.height = height;
    frame.format = this.#av.constants.AV_PIX_FMT_RGB24;
    checkResult(this.#av, frame.getBuffer(), "there is no memory for a frame");
    const [packed, stride] = [frame.data?.[0], frame.linesize[0]];
    if (packed === undefined || stride === undefined) throw new Error("a decoded frame holds no picture");
    this.#rgb = { frame, packed, stride };
    return this.#rgb;
  }
}
