/** A file of a dataset: its folder's number and its own in that folder. */
export interface FilePosition {
  readonly chunk: number;
  readonly file: number;
}

export const FIRST_FILE: FilePosition = { chunk: 0, file: 0 };

/** The position after another: the next file, or the first one of the next folder. */
export const nextFile = ({ chunk, file }: FilePosition, chunksSize: number): FilePosition =>
  file + 1 >= chunksSize ? { chunk: chunk + 1, file: 0 } : { chunk, file: file + 1 };

const threeDigits = (value: number): string => String(value).padStart(3, "0");

/** Its path below `data`, `meta/episodes` or a camera's folder of videos. */
export const pathOfFile = ({ chunk, file }: FilePosition, extension: string): string =>
  `chunk-${threeDigits(chunk)}/file-${threeDigits(file)}.${extension}`;
