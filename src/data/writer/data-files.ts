import { join } from "node:path";
import type { KeyValue } from "hyparquet";
import { arrowSchema } from "./arrow-schema.js";
import { FIRST_FILE, type FilePosition, nextFile, pathOfFile } from "./file-position.js";
import { ParquetTable, type TableColumn, type TableRows } from "./parquet-table.js";
import type { NumbersFeature, RecordedFeature } from "./recorded-feature.js";

const isScalar = ({ width }: NumbersFeature): boolean => width === 1;

/** What the Python library `datasets` calls the features, which it and the Hub's viewer read from the file. */
function huggingFaceFeatures(features: readonly RecordedFeature[]): string {
  const value = ({ dtype }: NumbersFeature): object => ({ dtype, _type: "Value" });
  const entries = features.map((feature) => {
    if (feature.kind === "camera") return [feature.name, { _type: "Image" }];
    const list = { feature: value(feature), length: feature.width, _type: "List" };
    return [feature.name, isScalar(feature) ? value(feature) : list];
  });
  return JSON.stringify({ info: { features: Object.fromEntries(entries) } });
}

function fileMetadata(features: readonly RecordedFeature[]): KeyValue[] {
  const huggingface = huggingFaceFeatures(features);
  const columns = features.map((feature) =>
    feature.kind === "camera"
      ? { name: feature.name, type: "image" as const }
      : { name: feature.name, type: feature.dtype, listSize: isScalar(feature) ? undefined : feature.width },
  );
  return [
    { key: "ARROW:schema", value: arrowSchema(columns, { huggingface }) },
    { key: "huggingface", value: huggingface },
  ];
}

/** The parquet files with the frames of a dataset, one row group per episode. */
export class DataFiles {
  readonly #folder: string;
  readonly #columns: readonly TableColumn[];
  readonly #metadata: readonly KeyValue[];
  readonly #capBytes: number;
  readonly #chunksSize: number;
  #table: ParquetTable | undefined;
  #position = FIRST_FILE;
  #numFrames = 0;

  /** @param features the columns: all features but videos */
  constructor(folder: string, features: readonly RecordedFeature[], capBytes: number, chunksSize: number) {
    this.#folder = folder;
    this.#capBytes = capBytes;
    this.#chunksSize = chunksSize;
    this.#columns = features.map((feature) =>
      feature.kind === "camera"
        ? { name: feature.name, type: "image", depth: 0 }
        : { name: feature.name, type: feature.dtype, depth: isScalar(feature) ? 0 : 1 },
    );
    this.#metadata = fileMetadata(features);
  }

  /** Appends an episode. A new file is begun if this one would grow beyond the cap. */
  async append(rows: TableRows, numFrames: number): Promise<FilePosition> {
    const size = this.#table?.sizeBytes ?? 0;
    if (this.#numFrames > 0 && size + (size / this.#numFrames) * numFrames >= this.#capBytes) {
      await this.close();
      this.#position = nextFile(this.#position, this.#chunksSize);
    }
    this.#table ??= new ParquetTable(
      join(this.#folder, pathOfFile(this.#position, "parquet")),
      this.#columns,
      this.#metadata,
    );
    await this.#table.append(rows);
    this.#numFrames += numFrames;
    return this.#position;
  }

  /** Completes the last file. */
  async close(): Promise<void> {
    await this.#table?.close();
    this.#table = undefined;
    this.#numFrames = 0;
  }
}
