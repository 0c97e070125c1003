"""A chunk of actions as stock LeRobot predicts it from a policy folder.

    predict.py --policy DIR --observation FILE.safetensors --tasks '["task", ...]' --output FILE.safetensors
               [--num-steps N] [--float32 | --native | --native-bf16]

The observation holds `observation.*` tensors with a batch axis (images in [0, 1], or uint8) and `noise`
(B, A, max_action_dim). The output holds `chunk` (B, A, M), normalised, and `robot_chunk`, the same in robot units.
Missing or unexpected weights are an error. A relative `vlm_model_name` starts from the current folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors.torch import load_file
from stock import add_precision_arguments, load_policy, load_processors, predict, write_tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--observation", type=Path, required=True)
    parser.add_argument("--tasks", type=json.loads, required=True)
    parser.add_argument("--num-steps", type=int, default=10)
    parser.add_argument("--output", type=Path, required=True)
    add_precision_arguments(parser)
    arguments = parser.parse_args()

    observation = load_file(arguments.observation)
    noise = observation.pop("noise")
    policy = load_policy(arguments.policy, arguments.precision)
    processors = load_processors(policy, arguments.policy)
    chunk, robot_chunk = predict(policy, processors, observation, arguments.tasks, noise, arguments.num_steps)
    write_tensors({"chunk": chunk, "robot_chunk": robot_chunk}, arguments.output)


if __name__ == "__main__":
    main()
