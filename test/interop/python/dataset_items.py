"""Items of a dataset folder, as stock LeRobot's training would read them.

    dataset_items.py --root DIR --indices 0,5,194 --chunk-size A --output FILE.safetensors

The output holds every tensor of each item under `INDEX/KEY` (images in [0, 1], channel first; `action` (A, M);
`action_is_pad` (A)). Standard output is JSON: `{"tasks": {INDEX: task}, "num_frames", "num_episodes", "fps",
"features": [...], "stats": {FEATURE: {STATISTIC: nested list}}}`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from lerobot.datasets.factory import resolve_delta_timestamps
from lerobot.datasets.lerobot_dataset import LeRobotDataset, LeRobotDatasetMetadata
from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
from stock import stock_output_to_stderr, write_tensors
from torch import Tensor

REPO_ID = "local/dataset"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--indices", type=lambda text: [int(part) for part in text.split(",")], required=True)
    parser.add_argument("--chunk-size", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    with stock_output_to_stderr():
        config = SmolVLAConfig(chunk_size=arguments.chunk_size, n_action_steps=1)
        metadata = LeRobotDatasetMetadata(REPO_ID, root=arguments.root)
        dataset = LeRobotDataset(
            REPO_ID, root=arguments.root, delta_timestamps=resolve_delta_timestamps(config, metadata)
        )
        items = {index: dataset[index] for index in arguments.indices}
    tensors = {
        f"{index}/{key}": value
        for index, item in items.items()
        for key, value in item.items()
        if isinstance(value, Tensor)
    }
    write_tensors(tensors, arguments.output)
    report = {
        "tasks": {index: item["task"] for index, item in items.items()},
        "num_frames": dataset.num_frames,
        "num_episodes": dataset.num_episodes,
        "fps": dataset.fps,
        "features": list(dataset.features),
        "stats": {
            feature: {name: value.tolist() for name, value in statistics.items()}
            for feature, statistics in metadata.stats.items()
        },
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
