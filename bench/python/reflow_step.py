"""Seconds and bytes of one correct reflow step, written with the classes of stock LeRobot, at the real geometry.

    reflow_step.py [--device cpu|cuda] [--dtype fp32|native] [--batch-size 2] [--teacher-steps 10] [--threads 2]
                   [--language-tokens 16] [--policy DIR]
    reflow_step.py --write-policy DIR [--dtype ...]

A step: noise of full width; the teacher's actions for it, without gradients; the student's flow-matching loss between
the two at a random time, over all entries; backward; gradients clipped to norm 10; AdamW over the trainable parameters.

Without --policy two policies are built with random weights, the student then copying the teacher; with it both are
loaded from the same folder. --write-policy saves such a folder (with processors, and `base-vlm` in it) and ends.

Standard output is one JSON object per line, so that runs can be alternated with another program's. After building:
`{"event": "ready", "seconds_since_process_start", "rss_bytes", "peak_rss_bytes", "num_parameters", "num_trainable"}`.
Then each line `step` on standard input is answered, after one step, by `{"event": "step", "seconds", "loss",
"seconds_since_process_start", "rss_bytes", "peak_rss_bytes"}` (on CUDA also `peak_device_bytes`); `quit` ends.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.policies.factory import make_pre_post_processors
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
from real_geometry import ACTION_DIM, CAMERAS, IMAGE_SHAPE, STATE_DIM, make_base_vlm, make_config, set_precision
from torch import Tensor

PROCESS = psutil.Process()


def seconds_since_process_start() -> float:
    return time.time() - PROCESS.create_time()


def memory(device: str) -> dict[str, int]:
    unit = 1 if sys.platform == "darwin" else 1024
    sizes = {
        "rss_bytes": PROCESS.memory_info().rss,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }
    if device == "cuda":
        sizes["peak_device_bytes"] = torch.cuda.max_memory_allocated()
    return sizes


def random_policies(base_vlm: Path, device: str, native: bool) -> tuple[SmolVLAPolicy, SmolVLAPolicy]:
    """A teacher with random weights and a student equal to it."""
    make_base_vlm(base_vlm, native)
    config = make_config(base_vlm, device)
    teacher, student = (set_precision(SmolVLAPolicy(config), native).to(device) for _ in range(2))
    student.load_state_dict(teacher.state_dict())
    return teacher, student


def loaded_policies(folder: Path, device: str, native: bool) -> tuple[SmolVLAPolicy, SmolVLAPolicy]:
    """Teacher and student from one policy folder, its `base-vlm` inside."""
    config = PreTrainedConfig.from_pretrained(folder)
    config.device, config.vlm_model_name = device, str(folder / "base-vlm")
    teacher, student = (
        set_precision(SmolVLAPolicy.from_pretrained(folder, config=config, strict=True), native) for _ in range(2)
    )
    return teacher, student


def write_policy(folder: Path, native: bool) -> None:
    """A policy folder of the real geometry, with random weights and processors with simple statistics."""
    make_base_vlm(folder / "base-vlm", native)
    config = make_config(folder / "base-vlm", "cpu")
    policy = set_precision(SmolVLAPolicy(config), native)
    config.vlm_model_name = "base-vlm"
    statistics = {
        name: {"mean": torch.zeros(dim), "std": torch.ones(dim)}
        for name, dim in (("observation.state", STATE_DIM), ("action", ACTION_DIM))
    }
    with contextlib.chdir(folder):
        processors = make_pre_post_processors(config, dataset_stats=statistics)
    for part in (policy, *processors):
        part.save_pretrained(folder)


def random_batch(batch_size: int, language_tokens: int, vocabulary: int, device: str) -> dict[str, Tensor]:
    """A pre-processed batch: images in [0, 1], normalised state, tokens without padding."""
    generator = torch.Generator().manual_seed(0)
    batch = {camera: torch.rand(batch_size, *IMAGE_SHAPE, generator=generator) for camera in CAMERAS}
    batch["observation.state"] = torch.randn(batch_size, STATE_DIM, generator=generator)
    tokens = torch.randint(vocabulary, (batch_size, language_tokens), generator=generator)
    batch["observation.language.tokens"] = tokens
    batch["observation.language.attention_mask"] = torch.ones_like(tokens, dtype=torch.bool)
    return {key: tensor.to(device) for key, tensor in batch.items()}


class Reflow:
    """Teacher, student, optimizer and a batch; `step` is what is timed."""

    def __init__(
        self, teacher: SmolVLAPolicy, student: SmolVLAPolicy, batch: dict[str, Tensor], num_steps: int
    ) -> None:
        self.teacher, self.student, self.batch = teacher.eval().requires_grad_(False), student.train(), batch
        self.teacher.config.num_steps = num_steps
        self.trainable = [parameter for parameter in student.parameters() if parameter.requires_grad]
        self.optimizer = student.config.get_optimizer_preset().build(self.trainable)

    def step(self) -> float:
        """One step; returns the loss."""
        config, model, batch = self.student.config, self.student.model, self.batch
        state = self.student.prepare_state(batch)
        tokens, token_masks = batch["observation.language.tokens"], batch["observation.language.attention_mask"]
        images, image_masks = self.student.prepare_images(batch)
        inputs = (images, image_masks, tokens, token_masks, state)

        noise = model.sample_noise((len(state), config.chunk_size, config.max_action_dim), state.device)
        with torch.no_grad():
            actions = self.teacher.model.sample_actions(*inputs, noise=noise.clone())
        flow_time = model.sample_time(len(state), state.device)
        loss = model.forward(*inputs, actions, noise, flow_time).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trainable, config.optimizer_grad_clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()


def serve(reflow: Reflow, device: str) -> None:
    """Answers the lines of standard input."""

    def emit(event: str, **fields: Any) -> None:
        line = {"event": event, **fields, "seconds_since_process_start": seconds_since_process_start()}
        print(json.dumps(line | memory(device)), flush=True)

    emit(
        "ready",
        num_parameters=sum(parameter.numel() for parameter in reflow.student.parameters()),
        num_trainable=sum(parameter.numel() for parameter in reflow.trainable),
    )
    for line in sys.stdin:
        command = line.strip()
        if command == "quit":
            return
        if command != "step":
            raise SystemExit(f'reflow_step.py: expected "step" or "quit" on standard input, got "{command}"')
        started = time.perf_counter()
        loss = reflow.step()
        if device == "cuda":
            torch.cuda.synchronize()
        emit("step", seconds=time.perf_counter() - started, loss=loss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("fp32", "native"), default="fp32")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--teacher-steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--language-tokens", type=int, default=16)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--write-policy", type=Path)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    native = arguments.dtype == "native"
    with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as temporary:
        if arguments.write_policy:
            write_policy(arguments.write_policy.resolve(), native)
            return
        if arguments.policy:
            policies = loaded_policies(arguments.policy.resolve(), arguments.device, native)
        else:
            policies = random_policies(Path(temporary), arguments.device, native)
        vocabulary = policies[0].model.vlm_with_expert.config.text_config.vocab_size
        batch = random_batch(arguments.batch_size, arguments.language_tokens, vocabulary, arguments.device)
        reflow = Reflow(*policies, batch, arguments.teacher_steps)
    serve(reflow, arguments.device)


if __name__ == "__main__":
    main()
