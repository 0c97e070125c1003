"""Flow-matching training steps of stock LeRobot (its own `update_policy`), on given batches, noise and times.

    train_steps.py --policy DIR --batches FILE.safetensors --tasks JSON --output DIR [--total-steps S]
                   [--overrides JSON] [--resume CHECKPOINT] [--checkpoint CHECKPOINT]
                   [--float32 | --native | --native-bf16]

--batches      tensors of step I = 0, 1, ... under `I/KEY`: raw `I/observation.*` (B, ...) and `I/action` (B, A, M),
               as a data loader gives them, `I/noise` (B, A, max_action_dim) and `I/time` (B)
--tasks        the tasks of a batch, as a list for all steps, or a list of lists with one for each step
--total-steps  length of the whole training, which shapes the schedule (default 100000)
--overrides    changes to the policy's configuration, such as `{"optimizer_lr": 2e-5, "scheduler_warmup_steps": 5}`
--resume       a checkpoint folder whose `training_state` is loaded before the first step
--checkpoint   where to write a stock checkpoint folder after the last step

DIR gets `log.json`, a list of `{step, loss, grad_norm, lr}` (the norm before clipping, the rate used), and
`trainable.safetensors`, every trainable tensor after the last step.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from lerobot.configs.default import DatasetConfig
from lerobot.configs.train import TrainPipelineConfig
from lerobot.optim.factory import make_optimizer_and_scheduler
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
from lerobot.scripts.lerobot_train import update_policy
from lerobot.utils.logging_utils import AverageMeter, MetricsTracker
from lerobot.utils.train_utils import load_training_state, save_checkpoint
from safetensors.torch import load_file
from stock import add_precision_arguments, load_policy, load_processors, raw_batch, write_json, write_tensors
from torch import Tensor


def split_steps(tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """The tensors `I/KEY` as one dictionary per step, in order."""
    steps: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split("/", 1)
        steps.setdefault(int(index), {})[key] = tensor
    return [steps[index] for index in sorted(steps)]


def give_draws(policy: SmolVLAPolicy, noise: Tensor, time: Tensor) -> None:
    """Makes the stock network "draw" this noise and these times in its next forward pass."""
    policy.model.sample_noise = lambda _shape, _device: noise
    policy.model.sample_time = lambda _batch_size, _device: time


def train_config(policy: SmolVLAPolicy, total_steps: int) -> TrainPipelineConfig:
    """A training run with the policy's own optimizer and schedule."""
    config = TrainPipelineConfig(
        dataset=DatasetConfig(repo_id="local/dataset"), policy=policy.config, steps=total_steps
    )
    config.optimizer = policy.config.get_optimizer_preset()
    config.scheduler = policy.config.get_scheduler_preset()
    return config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--batches", type=Path, required=True)
    parser.add_argument("--tasks", type=json.loads, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--total-steps", type=int, default=100_000)
    parser.add_argument("--overrides", type=json.loads, default={})
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    add_precision_arguments(parser)
    arguments = parser.parse_args()

    policy = load_policy(arguments.policy, arguments.precision)
    for key, value in arguments.overrides.items():
        if not hasattr(policy.config, key):
            parser.error(f"--overrides: expected keys of the policy's configuration, got {key}")
        setattr(policy.config, key, value)
    preprocess, postprocess = load_processors(policy, arguments.policy)
    config = train_config(policy, arguments.total_steps)
    optimizer, scheduler = make_optimizer_and_scheduler(config, policy)
    step = 0
    if arguments.resume:
        step, optimizer, scheduler = load_training_state(arguments.resume, optimizer, scheduler)
    accelerator = Accelerator(step_scheduler_with_optimizer=False, cpu=True)

    log: list[dict[str, Any]] = []
    for index, tensors in enumerate(split_steps(load_file(arguments.batches))):
        tasks = arguments.tasks[index] if isinstance(arguments.tasks[0], list) else arguments.tasks
        give_draws(policy, tensors.pop("noise"), tensors.pop("time"))
        learning_rate = optimizer.param_groups[0]["lr"]
        meters = {name: AverageMeter(name) for name in ("loss", "grad_norm", "lr", "update_s")}
        update_policy(
            MetricsTracker(len(tasks), 1, 1, meters),
            policy,
            preprocess(raw_batch(tensors, tasks)),
            optimizer,
            config.optimizer.grad_clip_norm,
            accelerator=accelerator,
            lr_scheduler=scheduler,
        )
        log.append(
            {"step": step, "loss": meters["loss"].val, "grad_norm": meters["grad_norm"].val, "lr": learning_rate}
        )
        step += 1

    trainable = {name: parameter for name, parameter in policy.named_parameters() if parameter.requires_grad}
    write_tensors(trainable, arguments.output / "trainable.safetensors")
    write_json(log, arguments.output / "log.json")
    if arguments.checkpoint:
        save_checkpoint(arguments.checkpoint, step, config, policy, optimizer, scheduler, preprocess, postprocess)


if __name__ == "__main__":
    main()
