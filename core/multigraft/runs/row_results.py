"""Row results: what an evaluation keeps of its rows, so that runs can be compared by row."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.report import Measure
from multigraft.errors import RunError, refused_as
from multigraft.evaluation.statistics import measured
from multigraft.runs.report_files import report_file
from multigraft.system.files import check_plain, new_file

FORMAT = 1
BYTES = 2**28
"""The most bytes of such a file, unpacked; one of a million rows takes some 10 MB."""
DRAWS = "draws "


@dataclass(frozen=True, kw_only=True)
class RowResults:
    """A run's metrics on its rows and on resamples of them."""

    task: str
    data: str
    """The split, or the name of other data."""
    metric: str
    """The one that the task is judged by."""
    greater: bool
    """Whether larger values of it are better."""
    identities: np.ndarray
    """[rows] uint64, in the rows' order (`row_identities`)."""
    values: Mapping[str, float]
    """Each metric on all rows."""
    draws: Mapping[str, np.ndarray]
    """Each metric on resamples of the rows, [resamples], by the seed `SHARED`: of the same rows in
    the same order they are the same for every run."""
    right: np.ndarray | None = None
    """[rows] bool: which are answered right; None where that says nothing."""
    asked: str = ""
    """What was asked of the answers, as JSON."""

    def facts(self) -> dict[str, str]:
        """What a report says of its intervals; nothing where there are none."""
        count = len(self.draws[self.metric])
        return {"intervals": f"bootstrap over rows, {count:,} resamples"} if count else {}

    def measures(self, confidence: float) -> dict[str, Measure]:
        """Each metric with its bootstrap interval over rows."""
        return {
            name: measured(value, self.draws[name], confidence)
            for name, value in self.values.items()
        }


def results_file(folder: Path, other_data: str | None = None) -> Path:
    """Where a run's folder keeps them, beside the report of the same evaluation."""
    return report_file(folder, "evaluate", other_data).with_suffix(".npz")


def keep_results(results: RowResults, path: Path) -> None:
    """Write results, whole or not at all."""
    told = {name: getattr(results, name) for name in ("task", "data", "metric", "greater", "asked")}
    values = {name: float(value) for name, value in results.values.items()}
    arrays: dict[str, Any] = {DRAWS + name: values for name, values in results.draws.items()}
    if results.right is not None:
        arrays["right"] = results.right.astype(bool)
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as file:
        np.savez_compressed(
            file,
            told=np.array(json.dumps({"format": FORMAT, **told, "values": values})),
            identities=results.identities,
            **arrays,
        )


def read_results(path: Path) -> RowResults:
    """Read results as they were kept. Raises RunError where there are none, or they are damaged."""
    with refused_as(RunError, f"{path}: cannot be read"):
        check_plain(path, limit=BYTES)
        _check_unpacked(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        told = json.loads(str(arrays.pop("told")))
    if told.pop("format", None) != FORMAT:
        raise RunError(f"{path}: was written by another version; evaluate the run again")
    identities, right = arrays.pop("identities"), arrays.pop("right", None)
    draws = {name.removeprefix(DRAWS): values for name, values in arrays.items()}
    found = RowResults(**told, identities=identities, draws=draws, right=right)
    if not _whole(found):
        raise RunError(f"{path}: does not hold the results of an evaluation")
    return found


def _check_unpacked(path: Path) -> None:
    """Raise RunError for a file that unpacks to more than a file of results holds."""
    with zipfile.ZipFile(path) as file:
        size = sum(each.file_size for each in file.infolist())
    if size > BYTES:
        raise RunError(f"{path}: unpacks to {size:,} bytes; at most {BYTES:,} are read")


def _whole(results: RowResults) -> bool:
    """Whether every part is there, with the shapes that belong together."""
    rows, values, draws = results.identities, results.values, results.draws
    return (
        isinstance(values, dict)
        and rows.ndim == 1
        and rows.dtype == np.uint64
        and results.metric in values
        and values.keys() == draws.keys()
        and all(each.ndim == 1 and each.dtype == np.float64 for each in draws.values())
        and len({len(each) for each in draws.values()}) == 1
        and (results.right is None or results.right.shape == rows.shape)
    )
