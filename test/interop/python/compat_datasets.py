"""Datasets whose cameras are image columns, written by stock LeRobot, and the items that stock LeRobot reads there.

    compat_datasets.py --output DIR

Writes one folder per dataset: `dataset/` in LeRobot's v3.0 layout, and `items.safetensors` with every tensor of every item
of the episodes in `selection` under `POSITION/KEY` (images in [0, 1]). Standard output is JSON: {NAME: {"selection",
"num_frames", "tasks": [task of each item]}}. Frames are noise, so no two pixels are alike by accident.

    images      two image columns, channel last and channel first, many files of data
    mixed       an image column beside a video
    no-camera   states and actions alone

`images/dataset-v2.1` holds the frames of `images` again, in the layout of LeRobot 0.3: one file per episode, the first camera
embedded, the second one as names of files in `images/`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from lerobot.datasets.factory import resolve_delta_timestamps
from lerobot.datasets.lerobot_dataset import LeRobotDataset, LeRobotDatasetMetadata
from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
from stock import stock_output_to_stderr, write_tensors
from torch import Tensor

REPO_ID = "local/dataset"
HEIGHT, WIDTH = 20, 28
CHUNK_SIZE = 4
TASKS = ["push the block", "lift the cup"]
JOINTS = {"dtype": "float32", "shape": (3,), "names": ["a", "b", "c"]}


def camera(dtype: str, channel_first: bool = False) -> dict[str, Any]:
    if channel_first:
        return {"dtype": dtype, "shape": (3, HEIGHT, WIDTH), "names": ["channels", "height", "width"]}
    return {"dtype": dtype, "shape": (HEIGHT, WIDTH, 3), "names": ["height", "width", "channels"]}


DATASETS: dict[str, dict[str, Any]] = {
    "images": {
        "cameras": {
            "observation.images.top": camera("image"),
            "observation.images.wrist": camera("image", channel_first=True),
        },
        "lengths": [5, 7, 6, 9, 4, 8],
        # Every second or third episode begins a file, and two files fill a chunk.
        "metadata": {"data_files_size_in_mb": 0.02, "chunks_size": 2},
        "selection": [5, 1, 4],
    },
    "mixed": {
        "cameras": {"observation.images.top": camera("video"), "observation.images.wrist": camera("image")},
        "lengths": [6, 5],
        "metadata": {},
        "selection": None,
    },
    "no-camera": {"cameras": {}, "lengths": [4, 3], "metadata": {}, "selection": None},
}


def record(root: Path, cameras: dict[str, Any], lengths: list[int], metadata: dict[str, Any]) -> None:
    random = np.random.default_rng(7)
    features = {"observation.state": JOINTS, "action": JOINTS, **cameras}
    dataset = LeRobotDataset.create(
        REPO_ID,
        fps=10,
        features=features,
        root=root,
        use_videos=any(feature["dtype"] == "video" for feature in cameras.values()),
    )
    dataset.meta.update_chunk_settings(**metadata)
    for episode, length in enumerate(lengths):
        for _ in range(length):
            frame: dict[str, Any] = {
                "observation.state": random.normal(size=3).astype(np.float32),
                "action": random.normal(size=3).astype(np.float32),
                "task": TASKS[episode % 2],
            }
            for name, feature in cameras.items():
                frame[name] = random.integers(0, 256, feature["shape"], dtype=np.uint8)
            dataset.add_frame(frame)
        dataset.save_episode()
    dataset.finalize()


def read(root: Path, selection: list[int] | None, output: Path) -> dict[str, Any]:
    config = SmolVLAConfig(chunk_size=CHUNK_SIZE, n_action_steps=1)
    metadata = LeRobotDatasetMetadata(REPO_ID, root=root)
    deltas = resolve_delta_timestamps(config, metadata)
    dataset = LeRobotDataset(REPO_ID, root=root, episodes=selection, delta_timestamps=deltas, video_backend="pyav")
    items = [dataset[position] for position in range(len(dataset))]
    tensors = {
        f"{position}/{key}": value
        for position, item in enumerate(items)
        for key, value in item.items()
        if isinstance(value, Tensor)
    }
    write_tensors(tensors, output)
    return {"selection": selection, "num_frames": dataset.num_frames, "tasks": [item["task"] for item in items]}


def write_v21(source: Path, target: Path) -> None:
    """What LeRobot 0.3 would have recorded. Stock 0.4.4 can neither write nor read that layout."""
    dataset = LeRobotDataset(REPO_ID, root=source)
    frames = dataset.hf_dataset.with_format(None)
    embedded, named = dataset.meta.image_keys
    (target / "meta").mkdir(parents=True)
    for episode in dataset.meta.episodes:
        index, start, end = (episode[key] for key in ("episode_index", "dataset_from_index", "dataset_to_index"))
        table: pa.Table = frames.select(range(start, end)).with_format("arrow")[:]
        cells = table.column(named).to_pylist()
        folder = Path("images") / named / f"episode_{index:06d}"
        (target / folder).mkdir(parents=True)
        for frame, cell in enumerate(cells):
            (target / folder / f"frame_{frame:06d}.png").write_bytes(cell["bytes"])
        # Relative to the dataset, absolute on the machine that recorded, or the name alone.
        prefix = ["", "/home/someone/data/", None][index % 3]
        names = [
            (f"{prefix}{folder}/" if prefix is not None else "") + f"frame_{frame:06d}.png" for frame in range(len(cells))
        ]
        column = pa.array([{"bytes": None, "path": name} for name in names], type=table.column(named).type)
        table = table.set_column(table.column_names.index(named), named, column)
        file = target / "data" / "chunk-000" / f"episode_{index:06d}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, file)
    info = json.loads((source / "meta" / "info.json").read_text())
    info |= {
        "codebase_version": "v2.1",
        "chunks_size": 1000,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    }
    (target / "meta" / "info.json").write_text(json.dumps(info))

    def write_lines(name: str, rows: list[dict[str, Any]]) -> None:
        (target / "meta" / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    write_lines("tasks.jsonl", [{"task_index": i, "task": task} for i, task in enumerate(TASKS)])
    lengths = enumerate(dataset.meta.episodes["length"])
    write_lines("episodes.jsonl", [{"episode_index": i, "tasks": [TASKS[i % 2]], "length": n} for i, n in lengths])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    output: Path = parser.parse_args().output
    report = {}
    with stock_output_to_stderr():
        for name, recipe in DATASETS.items():
            root = output / name / "dataset"
            record(root, recipe["cameras"], recipe["lengths"], recipe["metadata"])
            report[name] = read(root, recipe["selection"], output / name / "items.safetensors")
        write_v21(output / "images" / "dataset", output / "images" / "dataset-v2.1")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
