"""A stock SmolVLA policy with any configuration and random weights, and what stock LeRobot computes with it.

    random_policy.py --output DIR --base-vlm DIR [--overrides JSON] [--vlm-overrides JSON] [--seed S]
                     [--batch-size B] [--steps 1,2,10] [--tasks '["task", ...]'] [--image-sizes '{"KEY": [H, W]}']
                     [--missing-cameras KEY,...] [--padded-cameras KEY,...] [--native]

--overrides       any keys of a SmolVLA config.json, over small defaults; stock code decodes them, strictly
--vlm-overrides   keys of the base VLM's config.json, merged into the one of --base-vlm (nested objects key by key)
--image-sizes     sizes of the observed images; otherwise those in `input_features`
--missing-cameras cameras left out of the observation
--padded-cameras  cameras with a `KEY_padding_mask`, false for every other sample
--native          weights in the types stock code builds, instead of float32

DIR becomes a world of its own; use it as the current folder, because `vlm_model_name` is the relative `base-vlm`:

    policy/                  what stock `save_pretrained` writes: configuration, weights, processors with statistics
    base-vlm/                configuration, tokenizer, processor (and weights, if `load_vlm_weights` is overridden)
    observation.safetensors  `observation.*` (B, ...), `action` (B, A, M), `noise` (B, A, max_action_dim), `time` (B)
    reference.safetensors    `chunk.N` (B, A, M) normalised and `robot_chunk.N` for each number of steps; `velocity`
                             (B, A, max_action_dim) at `noise` and `time`, as in sampling; `prefix_pad_masks`; and where
                             stock training runs, `training_velocity` (the same through the training pass, at the mix
                             of `noise` and the normalised actions), `training_loss` and `gradient.NAME` of each
                             trainable tensor
    world.json               tasks, numbers of steps, and `training_error` (null, or why stock training fails)

The script fails when stock inference fails. Weights are scaled such that activations and velocities are of order one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.policies.factory import make_pre_post_processors
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy, make_att_2d_masks
from stock import Batch, model_inputs, predict, raw_batch, write_json, write_tensors
from torch import Tensor

DEFAULTS: dict[str, Any] = {
    "type": "smolvla",
    "input_features": {
        "observation.state": {"type": "STATE", "shape": [3]},
        "observation.images.top": {"type": "VISUAL", "shape": [3, 48, 64]},
        "observation.images.wrist": {"type": "VISUAL", "shape": [3, 48, 64]},
    },
    "output_features": {"action": {"type": "ACTION", "shape": [3]}},
    "device": "cpu",
    "push_to_hub": False,
    "chunk_size": 10,
    "n_action_steps": 5,
    "max_state_dim": 8,
    "max_action_dim": 8,
    "resize_imgs_with_padding": [64, 64],
    "tokenizer_max_length": 24,
    "vlm_model_name": "base-vlm",
    "num_vlm_layers": 4,
}
TASKS = ["push the T block to the target", "pick up the red cube and place it in the bin"]


@dataclass
class World:
    """What to build; the fields are the flags of the command line."""

    overrides: dict[str, Any] = field(default_factory=dict)
    vlm_overrides: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    batch_size: int = 2
    steps: list[int] = field(default_factory=lambda: [1, 2, 10])
    tasks: list[str] | None = None
    image_sizes: dict[str, list[int]] = field(default_factory=dict)
    missing_cameras: list[str] = field(default_factory=list)
    padded_cameras: list[str] = field(default_factory=list)
    native: bool = False


def merge(base: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """`base` with `overrides` over it; objects in both are merged key by key."""
    merged = dict(base)
    for key, value in overrides.items():
        both = isinstance(merged.get(key), dict) and isinstance(value, dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def make_base_vlm(source: Path, folder: Path, overrides: dict[str, Any], with_weights: bool) -> None:
    """A copy of the base VLM folder with a changed configuration; weights are made anew, at random."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("model*.safetensors*"))
    config = merge(json.loads((source / "config.json").read_text()), overrides)
    write_json(config, folder / "config.json")
    if with_weights:
        from transformers import AutoConfig, SmolVLMForConditionalGeneration

        vlm = SmolVLMForConditionalGeneration(AutoConfig.from_pretrained(folder)).to(torch.bfloat16)
        vlm.save_pretrained(folder)


def make_policy(overrides: dict[str, Any], folder: Path) -> SmolVLAPolicy:
    """The stock policy of a configuration that stock code itself has decoded.

    Stock code runs without resizing, but its decoder refuses the null that it writes for it; so that is set afterwards,
    and stock code cannot load the saved folder again.
    """
    fields = {**DEFAULTS, **overrides}
    resizes = fields["resize_imgs_with_padding"] is not None
    write_json(fields if resizes else {**fields, "resize_imgs_with_padding": [1, 1]}, folder / "config.json")
    config = PreTrainedConfig.from_pretrained(folder)
    if not resizes:
        config.resize_imgs_with_padding = None
    return SmolVLAPolicy(config)


@torch.no_grad()
def randomise_weights(policy: SmolVLAPolicy, generator: torch.Generator) -> None:
    """Weights that keep activations of order one: matrices by fan-in, gains near one, small biases."""
    for name, parameter in sorted(policy.named_parameters()):
        values = torch.randn(parameter.shape, generator=generator)
        if name.endswith("position_embedding.weight"):
            values *= 0.3
        elif parameter.ndim > 1:
            values *= (parameter.numel() / parameter.shape[0]) ** -0.5
        elif "norm" in name and name.endswith("weight"):
            values = 1 + 0.1 * values
        else:
            values *= 0.1
        parameter.copy_(values)


def random_statistics(config: PreTrainedConfig, generator: torch.Generator) -> dict[str, dict[str, Tensor]]:
    """Statistics of every feature, as a dataset has them: all that any normalisation mode may ask for, in order."""
    statistics = {}
    for key, feature in {**config.input_features, **config.output_features}.items():
        shape = (feature.shape[0], 1, 1) if feature.type.name == "VISUAL" else feature.shape
        quantiles = torch.randn(7, *shape, generator=generator).sort(dim=0).values
        names = ("min", "q01", "q10", "q50", "q90", "q99", "max")
        statistics[key] = {name: quantiles[i].clone() for i, name in enumerate(names)}
        statistics[key]["mean"] = torch.randn(*shape, generator=generator)
        statistics[key]["std"] = 0.5 + torch.rand(*shape, generator=generator)
        statistics[key]["count"] = torch.tensor([100])
    return statistics


def random_observation(
    config: PreTrainedConfig, world: World, batch_size: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Inputs of the features, with actions for training, `noise` and `time`."""
    observation: dict[str, Tensor] = {}
    for key, feature in config.input_features.items():
        if feature.type.name != "VISUAL":
            observation[key] = torch.randn(batch_size, *feature.shape, generator=generator)
        elif "empty_camera" not in key and key not in world.missing_cameras:
            height, width = world.image_sizes.get(key, feature.shape[1:])
            observation[key] = torch.rand(batch_size, feature.shape[0], height, width, generator=generator)
            if key in world.padded_cameras:
                observation[f"{key}_padding_mask"] = torch.arange(batch_size) % 2 == 0
    chunk = (batch_size, config.chunk_size)
    observation["action"] = torch.randn(*chunk, *config.output_features["action"].shape, generator=generator)
    observation["noise"] = torch.randn(*chunk, config.max_action_dim, generator=generator)
    observation["time"] = torch.rand(batch_size, generator=generator)
    return observation


@torch.no_grad()
def sampling_velocity(policy: SmolVLAPolicy, batch: Batch, noise: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """The velocity that sampling would use at (noise, time), and the prefix's pad mask."""
    policy.eval()
    batch = policy._prepare_batch(batch)
    model = policy.model
    embeddings, pad_masks, block_flags = model.embed_prefix(*model_inputs(policy, batch))
    _, cache = model.vlm_with_expert.forward(
        attention_mask=make_att_2d_masks(pad_masks, block_flags),
        position_ids=torch.cumsum(pad_masks, dim=1) - 1,
        past_key_values=None,
        inputs_embeds=[embeddings, None],
        use_cache=policy.config.use_cache,
        fill_kv_cache=True,
    )
    velocity = model.denoise_step(x_t=noise, prefix_pad_masks=pad_masks, past_key_values=cache, timestep=time)
    return velocity, pad_masks


def training_reference(policy: SmolVLAPolicy, batch: Batch, noise: Tensor, time: Tensor) -> dict[str, Tensor]:
    """Loss, velocity and gradients of stock's flow-matching step."""
    velocities: list[Tensor] = []
    hook = policy.model.action_out_proj.register_forward_hook(lambda _module, _input, output: velocities.append(output))
    policy.train()
    policy.zero_grad()
    loss, _ = policy.forward(batch, noise=noise, time=time)
    hook.remove()
    loss.backward()
    gradients = {
        f"gradient.{name}": parameter.grad
        for name, parameter in policy.named_parameters()
        if parameter.grad is not None
    }
    return {"training_loss": loss, "training_velocity": velocities[-1], **gradients}


def build_world(world: World, base_vlm: Path, output: Path) -> None:
    """Writes the folder described above; raises what stock inference raises."""
    tasks = world.tasks or [TASKS[i % len(TASKS)] for i in range(world.batch_size)]
    generator = torch.Generator().manual_seed(world.seed)
    base_vlm, output = base_vlm.resolve(), output.resolve()
    folder = output / "policy"
    make_base_vlm(base_vlm, output / "base-vlm", world.vlm_overrides, world.overrides.get("load_vlm_weights", False))

    with contextlib.chdir(output):
        policy = make_policy(world.overrides, folder)
        if not world.native:
            policy.float()
        randomise_weights(policy, generator)
        processors = make_pre_post_processors(policy.config, dataset_stats=random_statistics(policy.config, generator))
        policy.save_pretrained(folder)
        for processor in processors:
            processor.save_pretrained(folder)

        observation = random_observation(policy.config, world, len(tasks), generator)
        write_tensors(observation, output / "observation.safetensors")
        noise, time = observation.pop("noise"), observation.pop("time")
        preprocess = processors[0]

        reference: dict[str, Tensor] = {}
        for steps in world.steps:
            chunk, robot_chunk = predict(policy, processors, observation, tasks, noise, steps)
            reference |= {f"chunk.{steps}": chunk, f"robot_chunk.{steps}": robot_chunk}
        reference["velocity"], reference["prefix_pad_masks"] = sampling_velocity(
            policy, preprocess(raw_batch(observation, tasks)), noise, time
        )
        training_error = None
        try:
            reference |= training_reference(policy, preprocess(raw_batch(observation, tasks)), noise, time)
        except Exception as error:  # noqa: BLE001 - whatever stock training fails with is the result
            training_error = f"{type(error).__name__}: {error}"
    write_tensors(reference, output / "reference.safetensors")
    write_json({"tasks": tasks, "steps": world.steps, "training_error": training_error}, output / "world.json")


def comma_separated(text: str) -> list[str]:
    return text.split(",")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--base-vlm", type=Path, required=True)
    parser.add_argument("--overrides", type=json.loads, default={})
    parser.add_argument("--vlm-overrides", type=json.loads, default={})
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--steps", type=lambda text: [int(part) for part in text.split(",")], default=[1, 2, 10])
    parser.add_argument("--tasks", type=json.loads)
    parser.add_argument("--image-sizes", type=json.loads, default={})
    parser.add_argument("--missing-cameras", type=comma_separated, default=[])
    parser.add_argument("--padded-cameras", type=comma_separated, default=[])
    parser.add_argument("--native", action="store_true")
    arguments = vars(parser.parse_args())
    output, base_vlm = arguments.pop("output"), arguments.pop("base_vlm")
    build_world(World(**arguments), base_vlm, output)


if __name__ == "__main__":
    main()
