import { readFile } from "node:fs/promises";
import { DatasetError, messageOf } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import { pathInDataset } from "./dataset-path.js";
import { planarFromPacked } from "./planar-rgb.js";

/** A cell of an image column: the file's bytes, or a path to it relative to the dataset's folder. */
interface ImageCell {
  readonly bytes?: Uint8Array | null;
  readonly path?: string | Uint8Array | null;
}

async function encodedImage(cell: unknown, root: string, where: string): Promise<Uint8Array> {
  const { bytes, path } = (typeof cell === "object" && cell !== null ? cell : {}) as ImageCell;
  if (bytes instanceof Uint8Array && bytes.length > 0) return bytes;
  if (path === undefined || path === null || path.length === 0) {
    throw new DatasetError(`${where}: expected an encoded image or a path to one, got neither`);
  }
  const relative = typeof path === "string" ? path : new TextDecoder().decode(path);
  const file = pathInDataset(root, relative, where);
  return readFile(file).catch((error: unknown) => {
    throw new DatasetError(`${where}: expected an image file at ${file}, got an error (${messageOf(error)})`);
  });
}

/**
 * Decodes an image of an image column: uint8 `[3, height, width]`, RGB in [0, 255].
 *
 * Grey images are repeated over the three channels and transparency is dropped, as PIL's `convert("RGB")` does.
 * Embedded colour profiles are ignored and an orientation tag is followed, as the Python readers of datasets do.
 *
 * @throws DatasetError starting with `where` for a damaged image or one with more than 8 bits per channel
 */
export async function decodeImageCell(cell: unknown, root: string, where: string): Promise<HostArray> {
  const encoded = await encodedImage(cell, root, where);
  const { default: sharp } = await import("sharp");
  try {
    const image = sharp(encoded, { failOn: "error", ignoreIcc: true });
    const { depth } = await image.metadata();
    if (depth !== "uchar") throw new Error(`expected 8 bits per channel, got ${depth}`);
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
