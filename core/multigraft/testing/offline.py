"""Torch-free answers: from a bundle in a process where torch and its friends cannot be imported.

Run as ``python -m multigraft.testing.offline BUNDLE PRECISION`` with a JSON list of raw values on
stdin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

BLOCKED = frozenset(
    {"torch", "transformers", "timm", "torchaudio", "torchvision", "datasets", "accelerate"}
)


class Blocker:
    """A finder that refuses `BLOCKED` packages."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise for what is blocked; leave the rest to the other finders."""
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} is blocked in this process", name=name)
        return None


def main(bundle: str, precision: str) -> None:
    """Print the labels that the bundle gives to the values on stdin, as a JSON list."""
    sys.meta_path.insert(0, Blocker())
    import multigraft as mg

    answers = mg.load(bundle, precision=precision).predict(json.load(sys.stdin))
    json.dump([answer["label"] for answer in answers], sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
