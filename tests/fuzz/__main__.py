"""``make fuzz``: a thousand bad inputs for each border, each border in a process of its own, as a
table."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fuzz.borders import BORDERS
from fuzz.harness import MEMORY, SECONDS, explore

MACHINE = 16 * 2**30
"""What a border may map: beyond this even a lie in a header that is never written to is too
much."""


def main() -> int:
    """Explore the borders named, or all; the exit code is 1 where one is not as it should be."""
    asked = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    asked.add_argument("borders", nargs="*", help=f"of {', '.join(BORDERS)}; none: all")
    asked.add_argument("--inputs", type=int, default=1000, help="bad inputs for each border")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.child:
        return _child(given.borders[0], given.inputs, given.seed)
    print(
        f"{'border':10} {'inputs':>7} {'refused':>8} {'accepted':>9} {'slowest':>9} {'memory':>8}  "
        "errors"
    )
    good = [
        _told(name, _explored(name, given.inputs, given.seed)) for name in given.borders or BORDERS
    ]
    return 0 if all(good) else 1


def _explored(name: str, inputs: int, seed: int) -> dict[str, Any]:
    """Explore one border in a process of its own, so that its death is a finding and not the
    end."""
    command = [
        sys.executable,
        "-m",
        "fuzz",
        name,
        "--inputs",
        str(inputs),
        "--seed",
        str(seed),
        "--child",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"died": f"exit code {done.returncode}\n{done.stderr[-3000:]}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _child(name: str, inputs: int, seed: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MACHINE, MACHINE))
    with tempfile.TemporaryDirectory(prefix="multigraft-fuzz-") as folder:
        tally = explore(BORDERS[name], Path(folder), bad=inputs, seed=seed)
    print(json.dumps({**asdict(tally), "bad": tally.bad}))
    return 0


def _told(name: str, found: dict[str, Any]) -> bool:
    """Print one line of the table and what is wrong; whether nothing is."""
    if "died" in found:
        print(f"{name:10} the process died: {found['died']}", flush=True)
        return False
    errors = ", ".join(f"{kind} {count}" for kind, count in sorted(found["refused"].items()))
    print(
        f"{name:10} {found['inputs']:7,} {found['bad']:8,} {found['accepted']:9,} "
        f"{found['slowest']:7.2f} s {found['peak_mb']:5.0f} MB  {len(found['crashes'])} crashes; "
        f"{errors}",
        flush=True,
    )
    if found["slowest"] > SECONDS / 5:
        print(f"          slowest: {found['slowest_input']}", flush=True)
    for place, told in found["crashes"].items():
        print(f"\n  {place}\n    " + told.replace("\n", "\n    "), flush=True)
    return not found["crashes"] and found["slowest"] < SECONDS and found["peak_mb"] * 2**20 < MEMORY


if __name__ == "__main__":
    sys.exit(main())
