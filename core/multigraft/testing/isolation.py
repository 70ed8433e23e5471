"""Process isolation: what a plugin does where it is imported first, and where torch is missing.

``python -m multigraft.testing.isolation`` reads one order as JSON and prints one answer as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

HEAVY = (
    *("torch", "torchvision", "torchaudio", "transformers", "timm", "datasets", "peft"),
    *("sklearn", "scipy", "pandas", "pyarrow", "tensorflow", "jax", "librosa", "matplotlib"),
)
"""What takes longer to import than a command may take to answer."""
SECONDS = 120


def ask(order: Mapping[str, Any]) -> dict[str, Any]:
    """Carry an order out in a fresh process. Its exceptions come back under ``error``."""
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps({**order, "path": sys.path}),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    """Answer the order on stdin."""
    order = json.load(sys.stdin)
    sys.path[:] = order["path"]
    answers = {"import": importing, "read": reading}
    with redirect_stdout(sys.stderr):
        answer = answers[order["do"]](order)
    sys.stdout.write(json.dumps(answer) + "\n")


def importing(order: Mapping[str, Any]) -> dict[str, Any]:
    """Import a plugin's module after its requirements; time it and list its traces."""
    import numpy as np

    import multigraft
    import multigraft.models.tasks
    from multigraft.testing.no_network import no_network

    for name in ("Backbone", "Likeness", "MultigraftError", "hookimpl"):
        getattr(multigraft, name)
    before = _traces(np)
    known = set(sys.modules)
    with no_network() as asked:
        started = time.perf_counter()
        try:
            importlib.import_module(order["module"])
        except (Exception, SystemExit) as error:
            return {"error": f"{type(error).__name__}: {error}", "asked": asked}
        seconds = time.perf_counter() - started
    after = _traces(np)
    heavy = {name for name in set(sys.modules) - known if name.partition(".")[0] in HEAVY}
    return {
        "seconds": seconds,
        "heavy": sorted({name.partition(".")[0] for name in heavy}),
        "changed": [name for name in before if before[name] != after[name]],
        "asked": asked,
    }


def _traces(np: Any) -> dict[str, str]:
    """What an import must leave as it is."""
    return {
        "the environment variables": repr(sorted(os.environ.items())),
        "the working folder": os.getcwd(),  # noqa: PTH109 - as a process sees it
        "Python's random numbers": repr(random.getstate()),
        "NumPy's random numbers": repr(np.random.get_state()),
        "the threads": repr(sorted(thread.name for thread in threading.enumerate())),
    }


def reading(order: Mapping[str, Any]) -> dict[str, Any]:
    """Read values where nothing can be imported that a deployer does not have."""
    from multigraft.contracts.lazy import Lazy
    from multigraft.plugins.catalog import Catalog
    from multigraft.testing.arrays import digest
    from multigraft.testing.no_network import no_network
    from multigraft.testing.offline import Blocker

    sys.meta_path.insert(0, Blocker())
    try:
        plugin = importlib.import_module(order["module"])
        with no_network() as asked:
            catalog = Catalog([plugin], discover=False)
            for task in catalog.tasks():
                for function in (task.targets, task.answers):
                    if isinstance(function, Lazy):
                        function.resolve()
            digests = _digests(catalog, order, digest)
    except (Exception, SystemExit) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"digests": digests, "asked": asked}


def _digests(catalog: Any, order: Mapping[str, Any], digest: Any) -> Sequence[str]:
    if not order.get("modality"):
        return []
    reader = catalog.modality(order["modality"]).reader(order["spec"])
    return [digest(reader.read(raw)) for raw in order["raws"]]


if __name__ == "__main__":
    main()
