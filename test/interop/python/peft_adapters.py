"""LoRA adapters on a stock policy, made or loaded by the real PEFT, and the actions they give.

    peft_adapters.py --policy DIR --observation FILE.safetensors --tasks '["task", ...]' --jobs JSON [--num-steps N]

JSON is a list of `{"adapter": DIR, "output": FILE.safetensors}`. Each adapter folder is loaded onto the policy. With a further
key `make`, a new adapter is put on the policy by LeRobot's own `wrap_with_peft` instead, its trained values are replaced by
random numbers, and it is saved to that folder as LeRobot's training saves it; the key holds LeRobot's `--peft.*` settings and
`lora_alpha`, `use_rslora` and the like. Observation and `chunk` are those of `predict.py`; everything is in float32.
`merged_chunk` is what PEFT's own merging gives. A relative `vlm_model_name` starts from the current folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file
from stock import load_policy, load_processors, predict, write_tensors


def make_adapter(policy: Any, base: Path, settings: dict[str, Any], folder: Path) -> Any:
    """The policy with a random adapter, which is saved in `folder`."""
    policy.config.pretrained_path = base
    wrapped = policy.wrap_with_peft(peft_cli_overrides=settings)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name or "modules_to_save" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    wrapped.save_pretrained(folder)
    wrapped.config.save_pretrained(folder)
    return wrapped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--observation", type=Path, required=True)
    parser.add_argument("--tasks", type=json.loads, required=True)
    parser.add_argument("--jobs", type=json.loads, required=True)
    parser.add_argument("--num-steps", type=int, default=10)
    arguments = parser.parse_args()

    observation = load_file(arguments.observation)
    noise = observation.pop("noise")
    for job in arguments.jobs:
        policy = load_policy(arguments.policy, "float32")
        processors = load_processors(policy, arguments.policy)
        folder = Path(job["adapter"])
        if "make" in job:
            wrapped = make_adapter(policy, arguments.policy, job["make"], folder)
        else:
            wrapped = PeftModel.from_pretrained(policy, folder)
        wrapped.eval()
        given = (processors, observation, arguments.tasks, noise, arguments.num_steps)
        chunk, _ = predict(wrapped, *given)
        merged, _ = predict(wrapped.merge_and_unload(), *given)
        write_tensors({"chunk": chunk, "merged_chunk": merged}, Path(job["output"]))


if __name__ == "__main__":
    main()
