"""What stock LeRobot makes of a policy in the layout of its versions up to 0.3, and which weights it trains.

    compat_policies.py migrate --policy DIR --output DIR
    compat_policies.py old-actions --policy DIR --processors DIR --observation FILE --tasks JSON --output FILE
    compat_policies.py renamed --policy DIR --observation FILE --tasks JSON --rename-map JSON --output FILE
    compat_policies.py trainable --policy DIR

`migrate` runs LeRobot's own migration script on an old folder. `old-actions` computes what LeRobot 0.3 computed: it takes the
statistics from the old weights file and normalises with the formulas of that version, around the network of 0.4.4; the
output holds `chunk` and `robot_chunk` as `predict.py` writes them. `renamed` predicts from an observation with other names, as
evaluation with a rename map does. `trainable` prints JSON, a list of {"settings",
"trainable": [parameter names]} for every combination of the settings that freeze.

A relative `vlm_model_name` starts from the current folder.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path

import torch
from huggingface_hub import ModelCard
from lerobot.configs.policies import PreTrainedConfig
from lerobot.configs.types import NormalizationMode, PolicyFeature
from lerobot.policies.factory import make_pre_post_processors
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
from lerobot.processor import migrate_policy_normalization
from safetensors.torch import load_file
from stock import load_policy, load_processors, predict, raw_batch, stock_output_to_stderr, write_tensors
from torch import Tensor

EPS = 1e-8


def migrate(arguments: argparse.Namespace) -> None:
    flags = ["--pretrained-path", str(arguments.policy), "--output-dir", str(arguments.output)]
    sys.argv = ["migrate_policy_normalization", *flags]
    # The script ends with a model card, which it would have the Hub check.
    ModelCard.validate = lambda *_, **__: None
    migrate_policy_normalization.main()


def old_statistics(weights: dict[str, Tensor], module: str, feature: str) -> dict[str, Tensor]:
    start = f"{module}.buffer_{feature.replace('.', '_')}."
    return {key.removeprefix(start): value for key, value in weights.items() if key.startswith(start)}


def old_normalize(x: Tensor, mode: NormalizationMode, stats: dict[str, Tensor]) -> Tensor:
    if mode is NormalizationMode.IDENTITY:
        return x
    if mode is NormalizationMode.MEAN_STD:
        return (x - stats["mean"]) / (stats["std"] + EPS)
    return (x - stats["min"]) / (stats["max"] - stats["min"] + EPS) * 2 - 1


def old_unnormalize(x: Tensor, mode: NormalizationMode, stats: dict[str, Tensor]) -> Tensor:
    if mode is NormalizationMode.IDENTITY:
        return x
    if mode is NormalizationMode.MEAN_STD:
        return x * stats["std"] + stats["mean"]
    return (x + 1) / 2 * (stats["max"] - stats["min"]) + stats["min"]


def old_actions(arguments: argparse.Namespace) -> None:
    weights = load_file(arguments.policy / "model.safetensors")
    config = PreTrainedConfig.from_pretrained(arguments.policy)
    config.device = "cpu"
    policy = SmolVLAPolicy(config).float().eval()
    network = {key.replace("._orig_mod", ""): value for key, value in weights.items() if "normalize" not in key}
    policy.load_state_dict(network, strict=True)
    tensors = load_file(arguments.observation)
    noise = tensors.pop("noise")

    def mode_of(feature: PolicyFeature) -> NormalizationMode:
        return config.normalization_mapping[feature.type.value]

    batch = raw_batch(tensors, arguments.tasks)
    # The teacher's own processors rename, tokenise and batch; their normalisation is taken out.
    preprocess, _ = load_processors(policy, arguments.processors)
    preprocess.steps = [step for step in preprocess.steps if type(step)._registry_name != "normalizer_processor"]
    batch = preprocess(batch)
    for name, feature in config.input_features.items():
        if name in batch:
            stats = old_statistics(weights, "normalize_inputs", name)
            batch[name] = old_normalize(batch[name], mode_of(feature), stats)
    with torch.no_grad():
        chunk = policy.predict_action_chunk(batch, noise=noise.clone())
    action = config.output_features["action"]
    robot = old_unnormalize(chunk, mode_of(action), old_statistics(weights, "unnormalize_outputs", "action"))
    write_tensors({"chunk": chunk, "robot_chunk": robot}, arguments.output)


def renamed(arguments: argparse.Namespace) -> None:
    policy = load_policy(arguments.policy, "float32")
    processors = make_pre_post_processors(
        policy.config,
        pretrained_path=str(arguments.policy),
        preprocessor_overrides={"rename_observations_processor": {"rename_map": arguments.rename_map}},
    )
    tensors = load_file(arguments.observation)
    noise = tensors.pop("noise")
    chunk, robot = predict(policy, processors, tensors, arguments.tasks, noise, policy.config.num_steps)
    write_tensors({"chunk": chunk, "robot_chunk": robot}, arguments.output)


def trainable(arguments: argparse.Namespace) -> None:
    report = []
    for only, vision, state in itertools.product([True, False], repeat=3):
        config = PreTrainedConfig.from_pretrained(arguments.policy)
        settings = {"train_expert_only": only, "freeze_vision_encoder": vision, "train_state_proj": state}
        for name, value in settings.items():
            setattr(config, name, value)
        policy = SmolVLAPolicy(config)
        names = [name for name, parameter in policy.named_parameters() if parameter.requires_grad]
        report.append({"settings": settings, "trainable": names})
    arguments.report = json.dumps(report)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=["migrate", "old-actions", "renamed", "trainable"])
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--processors", type=Path, help="a policy folder of today whose tokenizer is the same")
    parser.add_argument("--observation", type=Path)
    parser.add_argument("--tasks", type=json.loads)
    parser.add_argument("--rename-map", type=json.loads)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with stock_output_to_stderr():
        {"migrate": migrate, "old-actions": old_actions, "renamed": renamed, "trainable": trainable}[arguments.work](arguments)
    print(getattr(arguments, "report", ""))


if __name__ == "__main__":
    main()
