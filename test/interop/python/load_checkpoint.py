"""Whether stock LeRobot accepts a policy or checkpoint folder written by someone else, and what it reads there.

    load_checkpoint.py --policy DIR

DIR is a policy folder (`config.json`, weights, processors), or a checkpoint folder with `pretrained_model` and
`training_state` in it. Everything is loaded by stock code: weights strictly, configurations by its strict decoder,
processors, and the training state into an optimizer and schedule built from the checkpoint's `train_config.json`.
Fails with the stock error on the first thing refused. Prints JSON:

    policy           `num_tensors`, `num_parameters`, `num_trainable`, `dtypes` {dtype: number of tensors}
    config           fields of config.json that stock code would write differently: {KEY: {"file", "stock"}}; {} is best
    processors       per file, `steps` (registry names in order) and `statistics` {FEATURE: [STATISTIC, ...]}
    train_config     as `config`, for train_config.json; null without that file
    training_state   null, or `step`, `lr`, `last_epoch`, `num_optimizer_states`, `optimizer_dtypes`
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from lerobot.configs.train import TRAIN_CONFIG_NAME, TrainPipelineConfig
from lerobot.optim.factory import make_optimizer_and_scheduler
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
from lerobot.utils.constants import PRETRAINED_MODEL_DIR, TRAINING_STATE_DIR
from lerobot.utils.train_utils import load_training_state
from stock import load_policy, load_processors, stock_output_to_stderr

ABSENT = "(absent)"
Report = dict[str, Any]


def differences(config: Any, file: Path) -> Report:
    """Fields that differ between `file` and what stock code writes for the configuration it read there."""
    with tempfile.TemporaryDirectory() as folder:
        config._save_pretrained(Path(folder))
        stock = json.loads((Path(folder) / file.name).read_text())
    ours = json.loads(file.read_text())
    return {
        key: {"file": ours.get(key, ABSENT), "stock": stock.get(key, ABSENT)}
        for key in [*ours, *(key for key in stock if key not in ours)]
        if ours.get(key, ABSENT) != stock.get(key, ABSENT)
    }


def describe_policy(policy: SmolVLAPolicy) -> Report:
    parameters = list(policy.parameters())
    return {
        "num_tensors": len(policy.state_dict()),
        "num_parameters": sum(parameter.numel() for parameter in parameters),
        "num_trainable": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        "dtypes": dict(Counter(str(tensor.dtype) for tensor in policy.state_dict().values())),
    }


def describe_processor(processor: Any) -> Report:
    statistics: dict[str, list[str]] = {}
    for step in processor.steps:
        for key in step.state_dict():
            feature, name = key.rsplit(".", 1)
            statistics.setdefault(feature, []).append(name)
    return {"steps": [type(step)._registry_name for step in processor.steps], "statistics": statistics}


def describe_training_state(checkpoint: Path, policy: SmolVLAPolicy, config: TrainPipelineConfig) -> Report:
    """Loads step, optimizer, schedule and random state as a resumed stock training does."""
    optimizer, scheduler = make_optimizer_and_scheduler(config, policy)
    step, optimizer, scheduler = load_training_state(checkpoint, optimizer, scheduler)
    states = optimizer.state_dict()["state"]
    return {
        "step": step,
        "lr": optimizer.param_groups[0]["lr"],
        "last_epoch": None if scheduler is None else scheduler.last_epoch,
        "num_optimizer_states": len(states),
        "optimizer_dtypes": dict(Counter(str(state["exp_avg"].dtype) for state in states.values())),
    }


def inspect(folder: Path) -> Report:
    """The report on `folder`."""
    nested = folder / PRETRAINED_MODEL_DIR
    policy_folder = nested if nested.is_dir() else folder
    policy = load_policy(policy_folder, "native")
    report: Report = {
        "policy": describe_policy(policy),
        "config": differences(policy.config, policy_folder / "config.json"),
        "processors": {
            processor.name: describe_processor(processor) for processor in load_processors(policy, policy_folder)
        },
        "train_config": None,
        "training_state": None,
    }
    train_config_file = policy_folder / TRAIN_CONFIG_NAME
    if train_config_file.exists():
        config = TrainPipelineConfig.from_pretrained(policy_folder)
        report["train_config"] = differences(config, train_config_file)
        checkpoint = policy_folder.parent
        if (checkpoint / TRAINING_STATE_DIR).is_dir():
            report["training_state"] = describe_training_state(checkpoint, policy, config)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True)
    arguments = parser.parse_args()
    with stock_output_to_stderr():
        report = inspect(arguments.policy)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
