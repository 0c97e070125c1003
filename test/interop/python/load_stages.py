"""What stock LeRobot makes of many checkpoints: each is loaded as by `load_checkpoint.py`, and acts as by `predict.py`.

    load_stages.py --jobs '[{"checkpoint": DIR, "observation": FILE, "num_steps": N, "output": FILE}, ...]'
                   --tasks '["task", ...]'

Observations and outputs are those of `predict.py`, in float32. Prints a JSON list of the reports, in the order of the jobs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from load_checkpoint import inspect
from lerobot.utils.constants import PRETRAINED_MODEL_DIR
from safetensors.torch import load_file
from stock import load_policy, load_processors, predict, stock_output_to_stderr, write_tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=json.loads, required=True)
    parser.add_argument("--tasks", type=json.loads, required=True)
    arguments = parser.parse_args()

    reports = []
    with stock_output_to_stderr():
        for job in arguments.jobs:
            checkpoint = Path(job["checkpoint"])
            reports.append(inspect(checkpoint))
            folder = checkpoint / PRETRAINED_MODEL_DIR
            observation = load_file(job["observation"])
            noise = observation.pop("noise")
            policy = load_policy(folder, "float32")
            processors = load_processors(policy, folder)
            chunk, robot_chunk = predict(policy, processors, observation, arguments.tasks, noise, job["num_steps"])
            write_tensors({"chunk": chunk, "robot_chunk": robot_chunk}, Path(job["output"]))
    print(json.dumps(reports))


if __name__ == "__main__":
    main()
