import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { DatasetError, messageOf } from "../support/errors.js";
import { expectFile } from "../support/expect-file.js";
import type { HostArray } from "../support/host-array.js";
import { pathInDataset } from "./dataset-path.js";
import { MOST_PIXELS } from "./picture-limit.js";
import { planarFromPacked } from "./planar-rgb.js";

/** A cell of an image column: the file's bytes, or a path to it relative to the dataset's folder. */
interface ImageCell {
  readonly bytes?: Uint8Array | null;
  readonly path?: string | Uint8Array | null;
}

/**
 * The file that a cell names: at that path in the dataset's folder; else below the dataset's `images` folder, if the path
 * leads through such a folder on whatever machine; else under its name alone in the folders of recorded frames.
 *
 * @throws DatasetError for a path out of the dataset's folder, unless one of these is there
 */
function locate(root: string, path: string, frameFolders: readonly string[], where: string): string {
  const parts = path.split("/");
  const inImages = parts.lastIndexOf("images");
  const places = [
    ...(isAbsolute(path) ? [] : [path]),
    ...(inImages < 0 ? [] : [parts.slice(inImages).join("/")]),
    ...frameFolders.map((folder) => `${folder}/${parts.at(-1)}`),
  ].map((place) => pathInDataset(root, place, where));
  return places.find((place) => existsSync(place)) ?? pathInDataset(root, path, where);
}

async function encodedImage(
  cell: unknown,
  root: string,
  where: string,
  frameFolders: readonly string[],
): Promise<Uint8Array> {
  const { bytes, path } = (typeof cell === "object" && cell !== null ? cell : {}) as ImageCell;
  if (bytes instanceof Uint8Array && bytes.length > 0) return bytes;
  if (path === undefined || path === null || path.length === 0) {
    throw new DatasetError(`${where}: expected an encoded image or a path to one, got neither`);
  }
  const named = typeof path === "string" ? path : new TextDecoder().decode(path);
  const file = locate(root, named, frameFolders, where);
  try {
    expectFile(file);
    return await readFile(file);
  } catch (error) {
    throw new DatasetError(`${where}: expected an image file at ${file}, got an error (${messageOf(error)})`);
  }
}

/**
 * Decodes an image of an image column: uint8 `[3, height, width]`, RGB in [0, 255].
 *
 * Grey images are repeated over the three channels and transparency is dropped, as PIL's `convert("RGB")` does.
 * Embedded colour profiles are ignored and an orientation tag is followed, as the Python readers of datasets do.
 *
 * @param frameFolders folders below `root` where a file is looked for that the cell names without its folder
 * @throws DatasetError starting with `where` for a damaged image, one with more than 8 bits per channel, or one in CMYK
 */
export async function decodeImageCell(
  cell: unknown,
  root: string,
  where: string,
  frameFolders: readonly string[] = [],
): Promise<HostArray> {
  const encoded = await encodedImage(cell, root, where, frameFolders);
  const { default: sharp } = await import("sharp");
  try {
    const image = sharp(encoded, { failOn: "error", ignoreIcc: true, limitInputPixels: MOST_PIXELS });
    const { depth, space } = await image.metadata();
    if (depth !== "uchar") throw new Error(`expected 8 bits per channel, got ${depth}`);
    // Which red, green and blue four inks make is a matter of colour profiles, on which readers differ.
    if (space === "cmyk") throw new Error("expected RGB or grey, got CMYK");
    const { data, info } = await image
      .autoOrient()
      .removeAlpha()
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`expected 3 channels, got ${info.channels}`);
    return planarFromPacked(data, info.width, info.height, info.width * 3);
  } catch (error) {
    throw new DatasetError(
      `${where}: expected a PNG or JPEG image, got one that cannot be decoded (${messageOf(error)})`,
    );
  }
}
