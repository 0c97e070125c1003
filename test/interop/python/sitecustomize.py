"""Lets stock LeRobot 0.4.4 run beside a newer torch, torchvision and transformers.

Every interpreter of the harness has this folder on PYTHONPATH, and Python imports `sitecustomize` by itself. Nothing of
LeRobot's SmolVLA, processors, datasets or training is changed; three holes around it are filled, each at the moment the
module in question is first imported:

- A torchvision built for CUDA cannot load its compiled operators beside a CPU torch, and then fails on registering
  kernels for operators nobody defined. Their schemas are defined here; LeRobot never calls them.
- LeRobot decodes with `torchvision.io.VideoReader`, which current torchvision no longer has. `pyav_video_reader` does
  the same with PyAV, so that LeRobot's own choice of frames and its checks of time stamps stay in force.
- `lerobot.policies` imports every policy. The one called groot is a class that transformers 5 refuses to define, and it
  needs diffusers; an empty class takes its place.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_kept_alive: list[Any] = []
"""Libraries of operator schemas; dropping one would undo its definitions."""


def _define_missing_operators(package_dir: Path) -> None:
    import torch

    for extension in package_dir.glob("_C*"):
        try:
            torch.ops.load_library(str(extension))
            return
        except OSError:
            continue
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept_alive.append(library)


def _add_video_reader(torchvision: ModuleType) -> None:
    if not hasattr(torchvision.io, "VideoReader"):
        from pyav_video_reader import VideoReader

        torchvision.io.VideoReader = VideoReader


def _find_torchvision(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Torchvision as the default finder finds it, with something done before and after its execution."""
    spec = PathFinder.find_spec(name, path)
    if spec is None or spec.loader is None or spec.origin is None:
        return spec
    execute, package_dir = spec.loader.exec_module, Path(spec.origin).parent

    def execute_with_holes_filled(module: ModuleType) -> None:
        _define_missing_operators(package_dir)
        execute(module)
        _add_video_reader(module)

    spec.loader.exec_module = execute_with_holes_filled  # type: ignore[method-assign]
    return spec


class _EmptyGroot(Loader):
    def exec_module(self, module: ModuleType) -> None:
        module.GrootPolicy = type("GrootPolicy", (), {})  # type: ignore[attr-defined]


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == "torchvision":
            return _find_torchvision(name, path)
        if name == "lerobot.policies.groot.modeling_groot":
            return ModuleSpec(name, _EmptyGroot())
        return None


sys.meta_path.insert(0, _Finder())
