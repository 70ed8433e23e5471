"""Steps of small networks in processes of their own, which may allocate so many bytes more and no
more."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from multigraft.errors import out_of_memory
from multigraft.evaluation.microbatches import halve_on_shortage

ROWS = 16
SPARE = (0, 2**18, 2**20, 3 * 2**19, 2**21, 2**22, 2**23, 2**24, 2**25, 2**28)


def cases() -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Networks whose activations are far larger than their weights, each with its input."""
    matrices = nn.Sequential(nn.Linear(256, 1024), nn.GELU(), nn.Linear(1024, 256))
    yield "matrices", matrices, torch.randn(ROWS, 128, 256)
    pictures = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.Conv2d(16, 16, 3)
    )
    yield "pictures", pictures, torch.randn(ROWS, 3, 48, 48)
    sounds = nn.Sequential(nn.Conv1d(1, 32, 10, stride=5), nn.GELU(), nn.Conv1d(32, 32, 3))
    yield "sounds", sounds, torch.randn(ROWS, 1, 8000)
    yield (
        "attention",
        nn.TransformerEncoderLayer(128, 4, 512, batch_first=True),
        torch.randn(ROWS, 128, 128),
    )


def step(network: nn.Module, rows: Tensor, precision: str) -> None:
    """A forward and backward pass."""
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        given = network(rows)
    given.float().square().mean().backward()


def outcome(network: nn.Module, rows: Tensor, precision: str, spare: int) -> str:
    """The microbatches a step takes within the limit, ``short`` where a row is too much."""
    step(network, rows[:1], precision)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + spare
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    def compute(microbatches: int) -> None:
        for chunk in rows.chunk(microbatches):
            step(network, chunk, precision)

    try:
        return str(halve_on_shortage(compute, 1, ROWS)[1])
    except Exception as error:
        return "short" if out_of_memory(error) else f"{type(error).__name__}: {error}"


def apart(compute: Callable[[], str]) -> str:
    """What a function says in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, compute().encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    return said or f"died with {os.waitpid(child, 0)[1]}"


def main(precision: str) -> None:
    """Print every outcome as JSON: ``{case: [one for each number of bytes]}``."""
    torch.set_num_threads(1)
    found = {}
    for name, network, rows in cases():
        found[name] = [
            apart(lambda n=network, r=rows, spare=spare: outcome(n, r, precision, spare))
            for spare in SPARE
        ]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
