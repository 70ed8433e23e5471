"""Distance of two domains: how well a classifier on frozen features tells their rows apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.choosing.candidates import Named, choice_of, limited
from multigraft.choosing.frozen import features_of, frozen_run, looked_at
from multigraft.contracts.display import UNSEEN, Display
from multigraft.contracts.report import Report
from multigraft.data import Table
from multigraft.data.given import without_rows
from multigraft.engine import Engine
from multigraft.errors import DataError
from multigraft.evaluation.domain_shift import DomainTest, domain_test
from multigraft.plugins.catalog import Catalog
from multigraft.recipe.resolve import read_recipe
from multigraft.recipe.resolved import ResolvedRecipe
from multigraft.runs.assembly import Saved, reader_spec, train_table
from multigraft.runs.unlabelled import without_targets
from multigraft.training.callbacks.progress import usual_progress

ROWS = 1000
STANDS_IN = "classification"
"""A task of any modality, which asks nothing of a row once the recipe is resolved."""
CERTAIN = 0.05


@dataclass(frozen=True, kw_only=True)
class DomainDistance:
    """How different the rows of two sources are to a backbone."""

    first: str
    second: str
    backbone: str
    test: DomainTest

    @property
    def verdict(self) -> str:
        """What it says, in a sentence."""
        if self.test.p > CERTAIN:
            return (
                f"{self.backbone} does not tell them apart (p = {self.test.p:.2g}): a difference "
                "that it does not see, or that so few rows do not show, may be there"
            )
        return (
            f"of two rows, one of each, {self.backbone} knows which is which in "
            f"{self.test.auc:.0%} of cases (p = {self.test.p:.2g})"
        )

    def report(self) -> Report:
        """The distance as a report for a terminal."""
        told = {
            "proxy A-distance": f"{self.test.proxy_a_distance:.3f}",
            "accuracy": f"{self.test.accuracy:.3f}",
            "AUC": f"{self.test.auc:.3f}",
            "p": f"{self.test.p:.2g}",
        }
        rows = f"{self.test.rows:,} of each, {self.test.permutations} permutations"
        return Report(
            verb="distance",
            title=f"{self.first} and {self.second}",
            facts={"backbone": self.backbone, "rows": rows, "verdict": self.verdict},
            tables={"a classifier of the two": (tuple(told), tuple(told.values()))},
        )

    def __str__(self) -> str:
        return f"{self.first} and {self.second}: {self.verdict}"

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready data."""
        distance = self.test.proxy_a_distance
        return {**asdict(self), "proxy_a_distance": distance, "verdict": self.verdict}


def domain_distance(
    first: Any,
    second: Any,
    *,
    backbone: Named,
    columns: Mapping[str, str] | None = None,
    reader: Mapping[str, Any] | None = None,
    rows: int = ROWS,
    seed: int = 0,
    plugins: Sequence[object] = (),
    quiet: bool = False,
    display: Display | None = None,
) -> DomainDistance:
    """Test whether a backbone, frozen, tells the rows of two sources apart: how far from each other
    two domains are to it.

    A source is what a recipe's ``data`` may be, rows in Python too; labels are not looked at.
    ``backbone`` is one as a recipe says it, ``columns`` and ``reader`` are a recipe's. ``rows`` of
    each, at most, are drawn with the ``seed``. The test is `domain_test` of
    `multigraft.evaluation.domain_shift`. Raises RecipeError, DataError.
    """
    catalog = Engine(plugins).catalog
    chosen = choice_of(backbone) if isinstance(backbone, str) else dict(backbone)
    raws = [_raw(each, chosen, columns or {}, reader or {}, seed) for each in (first, second)]
    shown = display or (None if quiet else usual_progress()) or UNSEEN
    with shown, ExitStack() as stack:
        shown.begin("reading both sources")
        sources = [_source(raw, catalog, rows, stack) for raw in raws]
        saved = _joint_reader(sources)
        shown.begin("computing features")
        features = [_features(each, catalog, saved) for each in sources]
        shown.begin("telling them apart")
        try:
            test = domain_test(features[0], features[1], seed=seed)
        except ValueError as error:
            raise DataError(f"{sources[0].name}, {sources[1].name}: {error}") from error
    name = chosen["name"] if isinstance(chosen, Mapping) and "name" in chosen else str(chosen)
    return DomainDistance(first=sources[0].name, second=sources[1].name, backbone=name, test=test)


@dataclass(frozen=True)
class _Source:
    """One of the two, before it is read."""

    name: str
    resolved: ResolvedRecipe
    folder: Path
    table: Table


def _raw(
    source: Any, backbone: Any, columns: Mapping[str, str], reader: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """A recipe that reads all rows of a source."""
    section = source if isinstance(source, Mapping) and "train" in source else {"train": source}
    own = {"columns": dict(columns)} if columns else {}
    return {
        "task": STANDS_IN,
        "backbone": backbone,
        "data": {"split": {"validation": 0, "test": 0}, **own, **section},
        "reader": dict(reader),
        "seed": seed,
    }


def _source(raw: Mapping[str, Any], catalog: Catalog, rows: int, stack: ExitStack) -> _Source:
    """The rows of a source that are drawn, which stay until the ``stack`` is left."""
    named, given = without_rows(raw)
    resolved = limited(read_recipe(named, catalog).anchored(), rows)
    plain = replace(resolved, task=without_targets(resolved.task), task_options={})
    kept, folder = stack.enter_context(looked_at(plain, given))
    table = train_table(kept, catalog)
    return _Source("rows in Python" if given else table.name, kept, folder, table)


def _joint_reader(sources: Sequence[_Source]) -> Saved:
    """A reader that knows both alike: a vocabulary of one would tell the other by its new words."""
    raws = [raw for each in sources for raw in each.table.raws()]
    return Saved(reader_spec(sources[0].resolved, raws), {})


def _features(source: _Source, catalog: Catalog, saved: Saved) -> np.ndarray:
    run = frozen_run(source.resolved, catalog, source.folder, saved)
    return features_of(run, run.rows["train"])
