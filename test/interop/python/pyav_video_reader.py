"""`torchvision.io.VideoReader` as it was with the "pyav" backend, as far as LeRobot 0.4.4 uses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import torch


class VideoReader:
    """Frames of a video file, in order of presentation, from the last position sought.

    Each frame is `{"data": uint8 tensor (3, H, W) in RGB, "pts": seconds}`.
    """

    def __init__(self, src: str, stream: str = "video") -> None:
        if stream != "video":
            raise ValueError(f'VideoReader: expected stream "video", got "{stream}"')
        self.container = av.open(src)
        self._stream = self.container.streams.video[0]
        self._frames = self.container.decode(self._stream)

    def seek(self, time_s: float, keyframes_only: bool = False) -> VideoReader:
        """Goes to the last key frame at or before `time_s`; the pyav backend knows no finer position."""
        offset = int(round(time_s / self._stream.time_base))
        self.container.seek(offset, backward=True, any_frame=False, stream=self._stream)
        self._frames = self.container.decode(self._stream)
        return self

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        try:
            frame = next(self._frames)
        except av.error.EOFError:
            raise StopIteration from None
        data = torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)
        return {"data": data, "pts": float(frame.pts * frame.time_base)}
