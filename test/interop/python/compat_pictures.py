"""Picture files of many kinds, and their pixels as the `datasets` library and PIL give them.

    compat_pictures.py --output DIR

Writes DIR/NAME (PNG and JPEG files) and DIR/pixels.safetensors: NAME -> uint8 [3, height, width], which is
`datasets.Image().decode_example(...).convert("RGB")`.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import torch
from PIL import Image, PngImagePlugin
from stock import write_tensors

WIDTH, HEIGHT = 37, 26


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pictures() -> Iterator[tuple[str, bytes]]:
    random = np.random.default_rng(3)
    noise = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    smooth = np.stack([x * 6, y * 9, (x + y) * 4], axis=-1).astype(np.uint8)
    alpha = random.integers(0, 256, (HEIGHT, WIDTH, 1), dtype=np.uint8)
    rgb, soft = Image.fromarray(noise), Image.fromarray(smooth)
    grey = Image.fromarray(noise[..., 0])
    gamma = PngImagePlugin.PngInfo()
    gamma.add(b"gAMA", (30000).to_bytes(4, "big"))
    rotated = Image.Exif()
    rotated[0x0112] = 6

    yield "rgb.png", encoded(rgb, "PNG")
    yield "rgb-level-1.png", encoded(rgb, "PNG", compress_level=1)
    yield "rgb-gamma.png", encoded(rgb, "PNG", pnginfo=gamma)
    yield "rgb-rotated.png", encoded(rgb, "PNG", exif=rotated)
    yield "rgba.png", encoded(Image.fromarray(np.concatenate([noise, alpha], axis=-1)), "PNG")
    yield "grey.png", encoded(grey, "PNG")
    yield "grey-alpha.png", encoded(Image.fromarray(np.concatenate([noise[..., :1], alpha], axis=-1)), "PNG")
    yield "grey-transparent.png", encoded(grey, "PNG", transparency=17)
    yield "one-bit.png", encoded(grey.point(lambda v: 255 * (v > 127)).convert("1"), "PNG")
    palette = soft.quantize(16)
    yield "palette.png", encoded(palette, "PNG")
    yield "palette-two-bits.png", encoded(soft.quantize(4), "PNG", bits=2)
    yield "palette-transparent.png", encoded(palette, "PNG", transparency=bytes(range(0, 256, 16)))
    for quality in (60, 95):
        for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
            name = f"rgb-{quality}-{subsampling.replace(':', '')}.jpg"
            yield name, encoded(soft, "JPEG", quality=quality, subsampling=subsampling)
    yield "noise.jpg", encoded(rgb, "JPEG", quality=90)
    yield "progressive.jpg", encoded(soft, "JPEG", progressive=True)
    yield "grey.jpg", encoded(grey, "JPEG")
    yield "rotated.jpg", encoded(soft, "JPEG", exif=rotated)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    pixels = {}
    for name, content in pictures():
        (output / name).write_bytes(content)
        image = datasets.Image().decode_example({"bytes": content, "path": None})
        pixels[name] = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    # What PIL opens and the project refuses.
    deep = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 60).astype(np.uint16)
    (output / "deep.png").write_bytes(encoded(Image.fromarray(deep), "PNG"))
    (output / "cmyk.jpg").write_bytes(encoded(Image.new("CMYK", (WIDTH, HEIGHT), (10, 90, 30, 5)), "JPEG"))
    write_tensors(pixels, output / "pixels.safetensors")


if __name__ == "__main__":
    main()
