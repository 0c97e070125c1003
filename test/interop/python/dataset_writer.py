"""A recording by stock LeRobot of given frames, and what stock LeRobot reads from a dataset that was written here.

    dataset_writer.py --frames FILE --names JSON --lengths JSON --tasks JSON --stock DIR --ours DIR --output FILE

`--frames` holds every feature's frames, `[frames, ...]`, cameras uint8 `[frames, height, width, 3]`; those named `*video`
become videos, other uint8 ones images. Stock LeRobot records them into `--stock`. From `--ours`, `--output` gets every
tensor of every item under `POSITION/KEY`. Standard output is JSON: {"warnings", "tasks", "batch": {key: shape} of a
training batch, "datasets": {"stock" and "ours": {"info", "stats", "episodes": rows with statistics, "columns"}}}.
"""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from lerobot.datasets.factory import resolve_delta_timestamps
from lerobot.datasets.lerobot_dataset import LeRobotDataset, LeRobotDatasetMetadata
from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
from safetensors.numpy import load_file
from stock import stock_output_to_stderr, write_tensors
from torch import Tensor

REPO_ID = "local/dataset"
CHUNK_SIZE = 4


def feature(name: str, frames: np.ndarray) -> dict[str, Any]:
    shape = frames.shape[1:]
    if frames.dtype != np.uint8:
        return {"dtype": str(frames.dtype), "shape": shape, "names": None}
    kind = "video" if name.endswith("video") else "image"
    return {"dtype": kind, "shape": shape, "names": ["height", "width", "channels"]}


def record(frames: dict[str, np.ndarray], names: list[str], lengths: list[int], tasks: list[str], root: Path) -> None:
    features = {name: feature(name, frames[name]) for name in names}
    dataset = LeRobotDataset.create(REPO_ID, fps=10, features=features, root=root, robot_type="toy")
    start = 0
    for length in lengths:
        for i in range(start, start + length):
            dataset.add_frame({name: frames[name][i] for name in names} | {"task": tasks[i]})
        start += length
        dataset.save_episode()
    dataset.finalize()


class Collected(logging.Handler):
    """What was logged as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def files(root: Path) -> dict[str, Any]:
    episodes = pq.read_table(root / "meta" / "episodes")
    return {
        "info": json.loads((root / "meta" / "info.json").read_text()),
        "stats": json.loads((root / "meta" / "stats.json").read_text()),
        "episodes": episodes.to_pylist(),
        "columns": {
            name: {str(field.name): str(field.type) for field in pq.read_schema(path)}
            for name, path in {
                "data": root / "data/chunk-000/file-000.parquet",
                "episodes": root / "meta/episodes/chunk-000/file-000.parquet",
            }.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("frames", "stock", "ours", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("names", "lengths", "tasks"):
        parser.add_argument(f"--{name}", type=json.loads, required=True)
    arguments = parser.parse_args()
    with stock_output_to_stderr():
        record(load_file(arguments.frames), arguments.names, arguments.lengths, arguments.tasks, arguments.stock)
        config = SmolVLAConfig(chunk_size=CHUNK_SIZE, n_action_steps=1, device="cpu")
        logged = Collected()
        logging.getLogger().addHandler(logged)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            metadata = LeRobotDatasetMetadata(REPO_ID, root=arguments.ours)
            deltas = resolve_delta_timestamps(config, metadata)
            dataset = LeRobotDataset(REPO_ID, root=arguments.ours, delta_timestamps=deltas, video_backend="pyav")
            items = [dataset[position] for position in range(len(dataset))]
            batch = next(iter(torch.utils.data.DataLoader(dataset, batch_size=5, shuffle=False)))
        tensors = {f"{i}/{k}": v for i, item in enumerate(items) for k, v in item.items() if isinstance(v, Tensor)}
        write_tensors(tensors, arguments.output)
        report = {
            "warnings": logged.messages + [str(warning.message) for warning in caught],
            "tasks": [item["task"] for item in items],
            "batch": {key: list(value.shape) for key, value in batch.items() if isinstance(value, Tensor)},
            "datasets": {"stock": files(arguments.stock), "ours": files(arguments.ours)},
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
