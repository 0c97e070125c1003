"""Many worlds of `random_policy.py` in one process, which saves importing LeRobot for each.

    random_policies.py --output DIR --base-vlm DIR --worlds FILE.json

The file maps names to objects whose keys are the flags of `random_policy.py` with underscores, such as
`{"self-attention": {"overrides": {"attention_mode": "self_attn"}, "seed": 3}}`. Each world becomes the folder DIR/NAME.
Where stock inference fails there is no folder; DIR/failures.json maps the names of these worlds to the errors. What
stock training says is in each world.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from random_policy import World, build_world
from stock import write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--base-vlm", type=Path, required=True)
    parser.add_argument("--worlds", type=Path, required=True)
    arguments = parser.parse_args()

    failures = {}
    for name, fields in json.loads(arguments.worlds.read_text()).items():
        folder = arguments.output / name
        try:
            build_world(World(**fields), arguments.base_vlm, folder)
        except Exception as error:  # noqa: BLE001 - whatever stock code fails with is the result
            failures[name] = f"{type(error).__name__}: {error}"
            shutil.rmtree(folder, ignore_errors=True)
    write_json(failures, arguments.output / "failures.json")


if __name__ == "__main__":
    main()
