"""`multigraft.prepare`: a corpus is cleaned, filtered, deduplicated and split; a page shows it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from multigraft.contracts.display import UNSEEN, Display
from multigraft.contracts.previews import Preview
from multigraft.data.prepare.corpus import MANIFEST, PAGE, Corpus, open_corpus, prepare_corpus
from multigraft.data.prepare.fields import Preparation
from multigraft.data.prepare.plan import Plan, read_plan
from multigraft.data.prepare.tally import Tally
from multigraft.data.prepare.trial import try_plan
from multigraft.evaluation.report.prepared import READING, write_prepared_page
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import read_mapping
from multigraft.system.files import expanded

OUTPUTS = "prepared"
Source = Preparation | Mapping[str, Any] | str | Path


class Fields(TypedDict, total=False):
    """The fields of a `Preparation`, as they are written in one."""

    source: str | Path | Sequence[str | Path]
    format: str
    encoding: str
    quotes: str
    columns: Mapping[str, str]
    modality: str
    steps: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
    keep: str | Sequence[str] | None
    split: Mapping[str, Any]
    shard_mb: int
    workers: int | str
    examples: int
    limit: int | None
    seed: int
    output: str | Path


@dataclass(frozen=True)
class Prepared:
    """A prepared corpus: its folder, its counts, and where each split lies."""

    corpus: Corpus

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.corpus.folder

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What was read, by which steps, how many rows each dropped, and a hash of each shard."""
        return self.corpus.manifest

    @property
    def page(self) -> Path:
        """The page that shows it."""
        return self.folder / PAGE

    @property
    def data(self) -> dict[str, str]:
        """Its splits as the ``data:`` of a training recipe."""
        return {split: str(self.folder / split) for split in self.manifest["rows"]}

    @classmethod
    def open(cls, folder: str | Path) -> Prepared:
        """A corpus that was prepared before. Raises RunError."""
        return cls(open_corpus(expanded(folder)))


def prepare(
    recipe: Source | None = None,
    *,
    plugins: Sequence[object] = (),
    quiet: bool = False,
    **fields: Unpack[Fields],
) -> Prepared:
    """Clean, filter, deduplicate and split a corpus: give a recipe, or its fields, or both: the
    fields win.

    Killed and called again it goes on, and ends with the same shards. Where stderr is a terminal,
    and in a notebook, a bar shows the progress, unless ``quiet``.
    """
    plan, folder = planned(recipe, fields, Catalog(plugins))
    return prepare_planned(plan, folder, quiet=quiet)


def prepare_planned(plan: Plan, folder: Path, *, quiet: bool = False) -> Prepared:
    """Do what a checked plan says, or go on with it. Raises DataError, RunError."""
    made = (folder / MANIFEST).is_file()
    corpus = prepare_corpus(plan, folder, display=UNSEEN if quiet else _display())
    if not made or not (folder / PAGE).is_file():
        page, previews = folder / PAGE, _previews(plan)
        write_prepared_page(
            corpus.manifest, corpus.examples, page, title=folder.name, previews=previews
        )
    return Prepared(corpus)


def _previews(plan: Plan) -> dict[str, Callable[[Any], Preview] | None]:
    """What makes previews of the values of each step, by the names of their examples."""
    steps = {f"{step.number} {step.name}": step.modality.preview for step in plan.steps}
    return {READING: plan.modality.preview, **steps}


def planned(
    recipe: Source | None,
    fields: Mapping[str, Any],
    catalog: Catalog,
    *,
    source: str = "recipe",
) -> tuple[Plan, Path]:
    """The checked plan of a recipe, and the folder that it is written to. Raises RecipeError."""
    named = isinstance(recipe, str | Path)
    raw: Any = read_mapping(Path(recipe)) if isinstance(recipe, str | Path) else recipe
    if isinstance(raw, Preparation):
        raw = raw.model_dump(mode="json", exclude_unset=True)
    if fields:
        given = {name: str(v) if isinstance(v, Path) else v for name, v in fields.items()}
        raw = {**(raw or {}), **given}
    plan = read_plan(raw if raw is not None else {}, catalog, str(recipe) if named else source)
    output = plan.recipe.output or Path(OUTPUTS) / (Path(str(recipe)).stem if named else "corpus")
    return plan, expanded(output)


def tried(plan: Plan) -> dict[int, Tally]:
    """What the steps of a plan make of the first rows, with nothing written."""
    with tempfile.TemporaryDirectory(prefix="multigraft-") as folder:
        return try_plan(plan, Path(folder))


def _display() -> Display:
    from multigraft.training.callbacks.progress import usual_progress

    return usual_progress() or UNSEEN
