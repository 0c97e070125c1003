import { BoundedCache } from "./bounded-cache.js";
import { DataFile } from "./data-file.js";
import type { DatasetMetadata } from "./dataset-metadata.js";
import type { EpisodeMetadata } from "./episode.js";

/** Numeric columns stay in memory until they are this large; they are re-read from their file afterwards. */
const NUMERIC_CAPACITY_BYTES = 1024 ** 3;
/** Encoded images are kept one row group at a time: with LeRobot's own files that is one episode of one camera. */
const IMAGE_CAPACITY_BYTES = 256 * 1024 ** 2;

/** The data files of a dataset, read when a frame of theirs is first asked for. */
export class FrameTable {
  readonly #metadata: DatasetMetadata;
  readonly #files = new BoundedCache<DataFile>(NUMERIC_CAPACITY_BYTES);
  readonly #images = new BoundedCache<readonly unknown[]>(IMAGE_CAPACITY_BYTES);

  constructor(metadata: DatasetMetadata) {
    this.#metadata = metadata;
  }

  /** The file with an episode's frames. */
  file(episode: EpisodeMetadata): Promise<DataFile> {
    const path = episode.dataPath;
    return this.#files.load(
      path,
      () => DataFile.open(path, this.#metadata),
      (file) => file.sizeBytes,
    );
  }

  /** One undecoded cell of an image column. */
  async imageCell({ parquet }: DataFile, camera: string, row: number): Promise<unknown> {
    const group = parquet.rowGroups.findIndex(({ rowStart, numRows }) => row >= rowStart && row < rowStart + numRows);
    const cells = await this.#images.load(
      `${parquet.path}\n${camera}\n${group}`,
      async () => {
        const values: unknown[] = [];
        await parquet.readColumn(
          camera,
          1,
          (rows, rowStart) => {
            for (let i = 0; i < rows.length; i++) values[rowStart + i - parquet.rowGroups[group]!.rowStart] = rows[i];
          },
          group,
        );
        return values;
      },
      totalBytes,
    );
    return cells[row - parquet.rowGroups[group]!.rowStart];
  }

  clear(): void {
    this.#files.clear();
    this.#images.clear();
  }
}

const totalBytes = (cells: readonly unknown[]): number =>
  cells.reduce<number>((sum, cell) => {
    const bytes = (cell as { bytes?: unknown } | null)?.bytes;
    return sum + (bytes instanceof Uint8Array ? bytes.byteLength : 0);
  }, 0);
