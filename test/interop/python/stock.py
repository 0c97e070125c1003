"""Stock LeRobot 0.4.4, as every script of this folder uses it: loading policies and processors, predicting, files.

The stock code prints to standard output while it loads. Scripts whose standard output is their result wrap it in
`stock_output_to_stderr()`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.policies.factory import make_pre_post_processors
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
from safetensors.torch import save_file
from torch import Tensor

Batch = dict[str, Any]


def stock_output_to_stderr() -> contextlib.AbstractContextManager[Any]:
    """Keeps standard output for the script's own result."""
    return contextlib.redirect_stdout(sys.stderr)


def add_precision_arguments(parser: argparse.ArgumentParser) -> None:
    """`--float32` (default), `--native` or `--native-bf16`, read as `arguments.precision`.

    native: each parameter in the type stock code builds it with, from this very config. native-bf16: the same as if the
    config said `load_vlm_weights: true`, with which stock code loads the base VLM in bf16 (its weights must be there).
    """
    group = parser.add_mutually_exclusive_group()
    for precision in ("float32", "native", "native-bf16"):
        group.add_argument(f"--{precision}", dest="precision", action="store_const", const=precision)
    parser.set_defaults(precision="float32")


def load_policy(folder: Path, precision: str) -> SmolVLAPolicy:
    """The policy saved in `folder`, in a precision of `add_precision_arguments`.

    `strict` makes stock code fail on any missing, unexpected or misshapen tensor instead of logging it. Stock code
    rounds the file's values to the types its parameters were built with, some of them bf16; for float32 they are
    therefore read again after the parameters have been widened.
    """
    config = PreTrainedConfig.from_pretrained(folder)
    config.load_vlm_weights = config.load_vlm_weights or precision == "native-bf16"
    policy = SmolVLAPolicy.from_pretrained(folder, config=config, strict=True)
    if precision == "float32":
        policy.float()
        SmolVLAPolicy._load_as_safetensor(policy, str(folder / "model.safetensors"), policy.config.device, strict=True)
    return policy


def load_processors(policy: SmolVLAPolicy, folder: Path) -> tuple[Any, Any]:
    """The pre- and post-processor saved in `folder`, on the policy's device, as `lerobot-eval` loads them."""
    return make_pre_post_processors(
        policy.config,
        pretrained_path=str(folder),
        preprocessor_overrides={"device_processor": {"device": str(policy.config.device)}},
    )


def raw_batch(tensors: Mapping[str, Tensor], tasks: list[str]) -> Batch:
    """What a robot or a data loader would hand over: a copy, because stock code changes its input in places.

    uint8 images become floats in [0, 1].
    """
    batch: Batch = {}
    for key, tensor in tensors.items():
        is_frame = tensor.dtype == torch.uint8 and key.startswith("observation.image")
        batch[key] = tensor.float() / 255 if is_frame else tensor.clone()
    batch["task"] = list(tasks)
    return batch


def predict(
    policy: SmolVLAPolicy,
    processors: tuple[Any, Any],
    observation: Mapping[str, Tensor],
    tasks: list[str],
    noise: Tensor,
    num_steps: int,
) -> tuple[Tensor, Tensor]:
    """One chunk on the given noise (B, A, max_action_dim): normalised, and in the robot's units; both (B, A, M)."""
    preprocess, postprocess = processors
    policy.config.num_steps = num_steps
    chunk = policy.predict_action_chunk(preprocess(raw_batch(observation, tasks)), noise=noise.clone())
    return chunk, postprocess(chunk.clone())


def model_inputs(policy: SmolVLAPolicy, batch: Batch) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor, Tensor]:
    """The first five arguments of the stock network (images, image masks, tokens, token masks, state)."""
    images, image_masks = policy.prepare_images(batch)
    state = policy.prepare_state(batch)
    return (
        images,
        image_masks,
        batch["observation.language.tokens"],
        batch["observation.language.attention_mask"],
        state,
    )


def write_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Writes a safetensors file, whatever the tensors' strides, making its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}, str(file))


def write_json(value: Any, file: Path) -> None:
    """Writes indented JSON, making the file's folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=2) + "\n")
