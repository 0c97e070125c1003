import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DatasetError } from "../support/errors.js";
import { decodeImageCell } from "./image-cell.js";
import { picture, planarPicture } from "./testing/write-video.js";

const [WIDTH, HEIGHT] = [7, 5];
const raw = (channels: 1 | 3 | 4) => ({ raw: { width: WIDTH, height: HEIGHT, channels } });
const rgb = () => sharp(picture(3, WIDTH, HEIGHT), raw(3));
const decode = (bytes: Uint8Array) => decodeImageCell({ bytes, path: null }, "/nowhere", "row 1");

describe("images", () => {
  it("come back as planes, byte for byte", async () => {
    const image = await decode(await rgb().png().toBuffer());
    expect(image).toEqual({ dtype: "uint8", shape: [3, HEIGHT, WIDTH], data: planarPicture(3, WIDTH, HEIGHT) });
    const palette = await decode(await rgb().png({ palette: true, colours: 256, dither: 0, quality: 100 }).toBuffer());
    expect(palette.shape).toEqual([3, HEIGHT, WIDTH]);
    expect((await decode(await rgb().jpeg().toBuffer())).shape).toEqual([3, HEIGHT, WIDTH]);
  });

  it("in grey are repeated over the channels, and transparency is dropped", async () => {
    const grey = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => i * 7);
    const greyPng = await sharp(grey, raw(1)).toColourspace("b-w").png().toBuffer();
    expect((await sharp(greyPng).metadata()).channels).toBe(1);
    expect((await decode(greyPng)).data).toEqual(Uint8Array.of(...grey, ...grey, ...grey));
    const packed = picture(3, WIDTH, HEIGHT);
    const rgba = Uint8Array.from({ length: 4 * WIDTH * HEIGHT }, (_, i) =>
      i % 4 === 3 ? i % 256 : packed[Math.floor(i / 4) * 3 + (i % 4)]!,
    );
    expect((await decode(await sharp(rgba, raw(4)).png().toBuffer())).data).toEqual(planarPicture(3, WIDTH, HEIGHT));
  });

  it("keep their values whatever colour profile is embedded", async () => {
    const tagged = await rgb().withIccProfile("p3", { attach: true }).png().toBuffer();
    const stored = await sharp(tagged, { ignoreIcc: true }).removeAlpha().raw().toBuffer();
    const { data } = await decode(tagged);
    for (let i = 0; i < WIDTH * HEIGHT; i++) {
      expect([data[i], data[i + 35], data[i + 70]]).toEqual([...stored.subarray(3 * i, 3 * i + 3)]);
    }
  });

  it("with more than 8 bits per channel are refused", async () => {
    const deep = await rgb().toColourspace("rgb16").png().toBuffer();
    await expect(decode(deep)).rejects.toThrow(
      new DatasetError(
        "row 1: expected a PNG or JPEG image, got one that cannot be decoded (expected 8 bits per channel, got ushort)",
      ),
    );
  });

  it("in CMYK are refused", async () => {
    const inks = await rgb().toColourspace("cmyk").jpeg().toBuffer();
    await expect(decode(inks)).rejects.toThrow(
      new DatasetError(
        "row 1: expected a PNG or JPEG image, got one that cannot be decoded (expected RGB or grey, got CMYK)",
      ),
    );
  });

  it("that are damaged or cut off are refused, whatever the damage", async () => {
    const [png, jpeg] = [await rgb().png().toBuffer(), await rgb().jpeg().toBuffer()];
    for (const file of [png, jpeg]) {
      await expect(decode(file.subarray(0, file.length / 2))).rejects.toThrow(
        /^row 1: expected a PNG or JPEG image, got one that cannot be decoded/,
      );
      for (let at = 0; at < file.length; at += 3) {
        const damaged = Buffer.from(file);
        damaged[at] = damaged[at]! ^ 0xff;
        await decode(damaged).catch((error: unknown) => expect(error).toBeInstanceOf(DatasetError));
      }
    }
    await expect(decode(Uint8Array.of(1, 2, 3))).rejects.toThrow(/row 1: expected a PNG or JPEG image/);
  });
});

describe("images stored as files", () => {
  let root = "";
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "reflow-images-"));
    await rgb().png().toFile(join(root, "frame.png"));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));
  const read = (path: unknown) => decodeImageCell({ bytes: null, path }, root, "row 1");

  it("are found by a path relative to the dataset's folder", async () => {
    expect((await read("frame.png")).data).toEqual(planarPicture(3, WIDTH, HEIGHT));
    expect((await read("./images/../frame.png")).data).toEqual(planarPicture(3, WIDTH, HEIGHT));
    expect((await read(new TextEncoder().encode("frame.png"))).shape).toEqual([3, HEIGHT, WIDTH]);
  });

  it("are found in the images folder when the path is one of the machine that recorded them", async () => {
    const folder = "images/observation.images.a/episode-000002";
    await mkdir(join(root, folder), { recursive: true });
    await copyFile(join(root, "frame.png"), join(root, folder, "frame-000001.png"));
    const elsewhere = `/home/someone/lerobot/me/thing/${folder}/frame-000001.png`;
    expect((await read(elsewhere)).data).toEqual(planarPicture(3, WIDTH, HEIGHT));
    const byName = { bytes: null, path: "frame-000001.png" };
    const found = await decodeImageCell(byName, root, "row 1", ["images/observation.images.b", folder]);
    expect(found.data).toEqual(planarPicture(3, WIDTH, HEIGHT));
    await expect(decodeImageCell(byName, root, "row 1", ["images/observation.images.b"])).rejects.toThrow(
      `row 1: expected an image file at ${join(root, "frame-000001.png")}, got an error (ENOENT`,
    );
    await expect(read(`/home/someone/${folder}/frame-000009.png`)).rejects.toThrow(
      `row 1: expected a path inside the dataset's folder, got "/home/someone/${folder}/frame-000009.png"`,
    );
  });

  it("must lie in the dataset's folder and be there", async () => {
    for (const path of ["../outside.png", "images/../../outside.png", "/etc/hostname", ".."]) {
      await expect(read(path)).rejects.toThrow(
        new DatasetError(`row 1: expected a path inside the dataset's folder, got ${JSON.stringify(path)}`),
      );
    }
    await expect(read("absent.png")).rejects.toThrow(
      `row 1: expected an image file at ${join(root, "absent.png")}, got an error (ENOENT`,
    );
    for (const cell of [null, {}, { bytes: new Uint8Array(), path: "" }, 7]) {
      await expect(decodeImageCell(cell, root, "row 1")).rejects.toThrow(
        new DatasetError("row 1: expected an encoded image or a path to one, got neither"),
      );
    }
  });
});
