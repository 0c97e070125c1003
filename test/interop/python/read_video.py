"""What PyAV reads from a video.

    read_video.py FILE

Prints JSON: {"codec", "pixel_format", "width", "height", "rate", "num_frames", "times": seconds, "first": mean colour of the
first frame}.
"""

from __future__ import annotations

import json
import sys

import av


def main() -> None:
    with av.open(sys.argv[1]) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        report = {
            "codec": stream.codec_context.name,
            "pixel_format": stream.codec_context.pix_fmt,
            "width": stream.codec_context.width,
            "height": stream.codec_context.height,
            "rate": str(stream.average_rate),
            "num_frames": stream.frames,
            "times": [float(frame.pts * stream.time_base) for frame in frames],
            "first": frames[0].to_ndarray(format="rgb24").mean(axis=(0, 1)).tolist(),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
