"""What TensorBoard reads from a folder of event files.

    read_tensorboard.py --folder DIR

Prints JSON:

    scalars   per name, [step, value] in order; values that JSON has no word for are "nan", "inf" and "-inf"
    texts     per name, [step, text] in order
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util


def number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True)
    events = EventAccumulator(parser.parse_args().folder, size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags: dict[str, Any] = events.Tags()
    texts = {}
    for tag in tags["tensors"]:
        assert events.SummaryMetadata(tag).plugin_data.plugin_name == "text", tag
        found = [(event.step, tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
        texts[tag] = [(step, array.item().decode()) for step, array in found]
    scalars = {tag: [(event.step, number(event.value)) for event in events.Scalars(tag)] for tag in tags["scalars"]}
    print(json.dumps({"scalars": scalars, "texts": texts}))


if __name__ == "__main__":
    main()
