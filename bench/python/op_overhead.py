"""Microseconds that one small operator call costs in Python, with gradients off and on.

    op_overhead.py [--calls 20000] [--repeats 7] [--threads 1]

The tensors have four floats (matmul: 4x4), so that the time is that of the call. Standard output is JSON:
`{"torch", "python", "threads", "calls", "microseconds": {"grad_off" | "grad_on": {OPERATOR: {"median", "min"}}}}`, over
the repeats; the cost of the empty loop is taken off.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

Operator = Callable[[], Tensor]


def operators(requires_grad: bool) -> dict[str, Operator]:
    a, b = (torch.rand(4, requires_grad=requires_grad) for _ in range(2))
    m, n = (torch.rand(4, 4, requires_grad=requires_grad) for _ in range(2))
    return {
        "add": lambda: torch.add(a, b),
        "mul": lambda: torch.mul(a, b),
        "mul_scalar": lambda: torch.mul(a, 2.0),
        "view": lambda: a.view(2, 2),
        "transpose": lambda: m.transpose(0, 1),
        "narrow": lambda: a.narrow(0, 1, 2),
        "cat": lambda: torch.cat((a, b), 0),
        "sum": lambda: torch.sum(a),
        "silu": lambda: torch.nn.functional.silu(a),
        "softmax": lambda: torch.softmax(a, -1),
        "matmul": lambda: torch.matmul(m, n),
        "linear": lambda: torch.nn.functional.linear(m, n),
        "to_same_type": lambda: a.to(torch.float32),
        "to_bf16": lambda: a.to(torch.bfloat16),
    }


def microseconds_per_call(operator: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        operator()
    return (time.perf_counter() - started) / calls * 1e6


def measure(requires_grad: bool, calls: int, repeats: int) -> dict[str, dict[str, float]]:
    results = {}
    with torch.set_grad_enabled(requires_grad):
        for name, operator in operators(requires_grad).items():
            microseconds_per_call(operator, calls // 10)
            times = [
                microseconds_per_call(operator, calls) - microseconds_per_call(lambda: None, calls)
                for _ in range(repeats)
            ]
            results[name] = {"median": round(statistics.median(times), 3), "min": round(min(times), 3)}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    report = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": arguments.threads,
        "calls": arguments.calls,
        "microseconds": {
            mode: measure(mode == "grad_on", arguments.calls, arguments.repeats) for mode in ("grad_off", "grad_on")
        },
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
