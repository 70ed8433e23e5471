"""From nothing to a first answer in a fresh process, and what has to be installed for it.

The 6 x 384 BERT of `predict_text` with random weights. Ours: import, load (hashes checked), answer.
Other: import transformers, build its pipeline from the same model's folder, answer. Seconds are the
wall clock of the whole process. The notes hold the megabytes on the disk of each side's installed
packages: those that multigraft requires without an extra, and transformers with torch and what they
require.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from benchmarks.cases.predict_text import prepared
from benchmarks.harness import Case, Mode, Sample, Turn, at_least, stopwatch

ROUNDS = {"full": 5, "quick": 1, "smoke": 1}
OURS = """
import sys, multigraft as mg
print(mg.load(sys.argv[1]).predict("w1 w2 w3")["label"])
"""
THEIRS = """
import sys
from transformers import pipeline
answer = pipeline("text-classification", model=sys.argv[1], tokenizer=sys.argv[1])
print(answer("w1 w2 w3")[0]["label"])
"""


def cases(mode: Mode, desk: Path) -> list[Case]:
    """The one row."""
    del desk
    found = prepared("quick")  # what it learned does not matter here
    sizes = {
        "ours": installed_megabytes("multigraft"),
        "theirs": installed_megabytes("transformers", "torch"),
    }

    def side(script: str, folder: Path, size: float) -> Sample:
        with stopwatch() as seconds:
            subprocess.run(
                [sys.executable, "-c", script, str(folder)], check=True, capture_output=True
            )
        return Sample(seconds[0], facts={"installed MB": size})

    def we(turn: Turn) -> Sample:
        return side(OURS, found.bundle, sizes["ours"])

    def they(turn: Turn) -> Sample:
        return side(THEIRS, found.model, sizes["theirs"])

    return [
        Case(
            name="bundle_start",
            work="import, load and a first answer of a 6x384 BERT, a fresh process",
            other="torch and transformers.pipeline",
            unit="s",
            ours=we,
            theirs=they,
            rounds=ROUNDS[mode],
            bar=at_least(5.0),
        )
    ]


def installed_megabytes(*names: str) -> float:
    """What packages and all that they require, without extras, take on the disk."""
    seen: set[str] = set()
    queue = list(names)
    total = 0
    while queue:
        name = re.sub(r"[-_.]+", "-", queue.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another platform
            continue
        total += sum(_size(Path(str(found.locate_file(file)))) for file in found.files or ())
        wanted = [line for line in found.requires or () if "extra ==" not in line]
        queue += [re.split(r"[\s;<>=!~\[(]", line, maxsplit=1)[0] for line in wanted]
    return round(total / 1e6, 1)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
