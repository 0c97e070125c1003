import type { CheckedFrame } from "./check-frame.js";
import { countPixels, imageStatistics, type PixelCounts } from "./image-statistics.js";
import { type FeatureStatistics, numericStatistics } from "./numeric-statistics.js";
import type { TableRows } from "./parquet-table.js";
import { INDEX_FEATURES, type RecordedFeature } from "./recorded-feature.js";

const identity = (value: number): number => value;

/** An encoded image as a cell of a table. */
interface ImageCell {
  readonly bytes: Uint8Array;
  readonly path: string;
}

/** The frames of the episode being recorded: numbers, PNG images and counts of pixels; no picture stays. */
export class EpisodeBuffer {
  readonly #features: readonly RecordedFeature[];
  readonly #numbers = new Map<string, (readonly (number | bigint)[])[]>();
  readonly #images = new Map<string, ImageCell[]>();
  readonly #pixels = new Map<string, PixelCounts[]>();
  readonly tasks: string[] = [];

  constructor(features: readonly RecordedFeature[]) {
    this.#features = features;
    for (const { kind, name, dtype } of features) {
      if (kind === "numbers") this.#numbers.set(name, []);
      else this.#pixels.set(name, []);
      if (dtype === "image") this.#images.set(name, []);
    }
  }

  get numFrames(): number {
    return this.tasks.length;
  }

  /** @param images the frame's encoded images, of cameras that are stored as images */
  add(frame: CheckedFrame, images: ReadonlyMap<string, Uint8Array>): void {
    const path = `frame-${String(this.numFrames).padStart(6, "0")}.png`;
    for (const [name, values] of frame.numbers) this.#numbers.get(name)!.push(values);
    for (const [name, bytes] of images) this.#images.get(name)!.push({ bytes, path });
    for (const feature of this.#features) {
      if (feature.kind === "numbers") continue;
      const picture = frame.pictures.get(feature.name)!;
      this.#pixels.get(feature.name)!.push(countPixels(picture, feature.width, feature.height));
    }
    this.tasks.push(frame.task);
  }

  /**
   * The rows of the episode's frames and its statistics.
   *
   * @param place the episode's index and first frame, and every frame's task index
   */
  complete(place: { index: number; from: number; taskIndices: readonly number[]; fps: number }): {
    rows: TableRows;
    statistics: ReadonlyMap<string, FeatureStatistics>;
  } {
    const rows = new Map<string, readonly unknown[]>();
    const statistics = new Map<string, FeatureStatistics>();
    for (const { kind, name, dtype, width } of this.#features) {
      if (kind === "camera") {
        statistics.set(name, imageStatistics(this.#pixels.get(name)!));
        if (dtype === "image") rows.set(name, this.#images.get(name)!);
        continue;
      }
      const values = this.#numbers.get(name)!;
      rows.set(name, width === 1 ? values.map(([value]) => value) : values);
      statistics.set(name, numericStatistics(values, width, dtype === "float32" ? Math.fround : identity));
    }
    const indices: Readonly<Record<string, (i: number) => number>> = {
      timestamp: (i) => i / place.fps,
      frame_index: (i) => i,
      episode_index: () => place.index,
      index: (i) => place.from + i,
      task_index: (i) => place.taskIndices[i]!,
    };
    for (const { name, dtype } of INDEX_FEATURES) {
      const values = this.tasks.map((_, i) => indices[name]!(i));
      rows.set(name, dtype === "int64" ? values.map(BigInt) : values.map(Math.fround));
      // LeRobot computes these before it rounds the times to float32.
      const vectors = values.map((value) => [value]);
      statistics.set(name, numericStatistics(vectors, 1, identity));
    }
    return { rows, statistics };
  }
}
