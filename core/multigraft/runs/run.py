"""A run: the folder that holds all of it, and the same thing in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from multigraft.contracts.display import UNSEEN, Display
from multigraft.contracts.objectives import Objective
from multigraft.contracts.plan import Plan
from multigraft.contracts.reader import Augment, Reader
from multigraft.contracts.report import Report
from multigraft.contracts.types import Spec
from multigraft.data import Rows
from multigraft.errors import RunError
from multigraft.evaluation.answer_scores import Metrics, metrics_of
from multigraft.evaluation.asking import evaluation_asks
from multigraft.evaluation.generation.torch_writer import torch_writer
from multigraft.evaluation.other_sources import answers_files, named_sources, table_of
from multigraft.evaluation.row_answers import check_rows_file
from multigraft.models.graft import Graft
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import Recipe
from multigraft.recipe.resolved import ResolvedRecipe
from multigraft.runs.other_data import on_other_data
from multigraft.runs.run_view import run_line, run_view
from multigraft.runtime.answers import make_answers
from multigraft.runtime.asking import given_asks
from multigraft.runtime.explain.explain import USUAL
from multigraft.system.compute.processes import ALONE, World
from multigraft.system.files import write_json
from multigraft.system.notebook import page_part
from multigraft.system.resume_command import RECORD

if TYPE_CHECKING:
    from multigraft.evaluation.explain.explanations import Explanations

RECIPE, METRICS, MODEL, HEAD, PAGE = (
    "recipe.yaml",
    "metrics.jsonl",
    "model",
    "head.safetensors",
    "report.html",
)


class Reading(TypedDict):
    """Reading of a split in evaluation."""

    batch_size: int
    seed: int
    budget: float | None


@dataclass(kw_only=True, repr=False)
class Run:
    """Everything one training is made of. It is complete before a verb is called."""

    folder: Path
    recipe: Recipe
    resolved: ResolvedRecipe
    catalog: Catalog
    reader: Reader
    targets: Spec
    objective: Objective
    graft: Graft
    plan: Plan
    rows: Mapping[str, Rows]
    """The readable rows of ``train``, and of ``validation`` and ``test`` where there are any."""
    augment: Augment | None
    facts: dict[str, Any]
    """What `run.json` holds."""
    dispatch: Callable[[str, Run], Report]
    world: World = ALONE
    """The processes that train it together."""
    row_weights: np.ndarray | None = None
    """[training rows]: what the loss of each counts for, 1 on the mean; None: all the same."""
    total_steps: int = 0
    """Known once training begins."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """One entry a finished epoch: ``epoch``, ``step``, ``metrics``."""
    stop: str | None = None
    """Set it to a reason, and training ends after the step."""
    report: Report | None = None
    """The newest answer of a verb."""
    other_data: str | None = None
    """The name of other data that it is measured on, a split of `rows`; None: its own."""
    answers_file: Path | None = None
    """Where `evaluate` writes the answer to each row; None: nowhere."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What `evaluate` asks of answers, as a deployer may (`Predictor.predict`)."""
    display: Display = UNSEEN
    """Where `evaluate` and `export` show what they are at."""

    def __repr__(self) -> str:
        return run_line(self)

    def _repr_html_(self) -> str:
        return page_part(run_view(self))

    def weights_of(self, rows: np.ndarray) -> np.ndarray | None:
        """What these training rows count for; None: all the same."""
        return None if self.row_weights is None else self.row_weights[np.asarray(rows)]

    @property
    def metrics(self) -> Metrics[Objective]:
        """What its rows are measured by; where it writes texts, with what writes them."""
        found = metrics_of(self.resolved.task, self.targets, self.objective)
        generating = self.objective.generating(self.graft.head)
        if found.answers is None or generating is None:
            return found
        return replace(found, writer=torch_writer(self.graft, generating, self.reader))

    @property
    def metrics_file(self) -> Path:
        """One JSON line for each logged step and each validation."""
        return self.folder / METRICS

    def reading(self) -> Reading:
        """Arguments with which `evaluation.measure_split` reads this run's rows."""
        size = self.recipe.evaluation.batch_size or self.recipe.training.batch_size
        return Reading(batch_size=size, seed=self.recipe.seed, budget=self.budget())

    def budget(self) -> float | None:
        """The largest padded length of a batch, as `Reader.length` counts; None: no budget."""
        asked, unit = self.recipe.training.batch_budget, self.resolved.modality.unit
        if asked is None or unit is None:
            return asked
        return asked * unit(self.reader.spec())[1]

    @property
    def held_out_split(self) -> str | None:
        """The recipe's split of evaluation, else the nearest there is; None: no row is held out."""
        wanted = (self.recipe.evaluation.split, "test", "validation")
        return next((split for split in wanted if split in self.rows), None)

    def held_out(self) -> str:
        """The same split. Raises RunError where no row is held out."""
        split = self.held_out_split
        if split is not None:
            return split
        raise RunError(
            "no rows are held out; to measure, give data.test, data.validation, "
            "or a share in data.split"
        )

    def evaluate(
        self,
        data: Any = None,
        *,
        name: str | None = None,
        columns: Mapping[str, str] | None = None,
        split: str | None = None,
        rows: str | Path | None = None,
        asked: Mapping[str, Any] | None = None,
        groups: str | None = None,
        quiet: bool = False,
    ) -> Report:
        """Measure the trained model on its held-out rows, or on other ``data``.

        ``data`` is what a recipe's ``data.train`` may be, rows in Python too; a mapping from names
        to several of them gives one report with a table. It is read as the recipe says, ``columns``
        (our name -> theirs) going first; ``split`` is that of a hub set, or of a folder that holds
        a file for each. ``name`` is what its report is kept under, beside those of the run's own
        rows. Rows of labels that the run does not know are left out, counted and told. ``rows`` is
        a file (``.jsonl``, ``.csv``, ``.parquet``) that gets the answer to each row, in their
        order.
        ``asked`` is what is asked of the answers, as ``{"flip": True}``, for the figure that a
        deployer gets who asks the same. ``groups`` is a column, as ``domain``, for whose values the
        task's metric is told too, and for the worst; the recipe's unless given. ``quiet`` shows no
        progress. Raises DataError, RunError, PredictError.
        """
        with self._watched(quiet=quiet) as run:
            asking = replace(run._with(groups=groups), asked=run._checked(asked))
            self.report = asking._measured(data, name, columns, split, rows)
        return self.report

    def _measured(
        self,
        data: Any,
        name: str | None,
        columns: Mapping[str, str] | None,
        split: str | None,
        rows: str | Path | None,
    ) -> Report:
        file = None if rows is None else check_rows_file(Path(rows))
        if data is None:
            if name is not None or columns:
                raise RunError("name and columns are those of other data: give data too")
            return self.dispatch("evaluate", replace(self._on(split), answers_file=file))
        sources = named_sources(data, name, split, self._columns(columns or {}))
        files = answers_files(file, sources)
        reports = {
            each: self.dispatch(
                "evaluate",
                on_other_data(
                    self,
                    source,
                    each,
                    columns=columns or {},
                    split=split,
                    answers_file=files[each],
                ),
            )
            for each, source in sources.items()
        }
        return table_of(reports) if len(reports) > 1 else next(iter(reports.values()))

    def _columns(self, named: Mapping[str, str]) -> set[str]:
        """What the columns that are measured on may be called, here and in a table."""
        ours = {*self.resolved.modality.columns, *self.resolved.task.columns}
        called = {**self.recipe.data.columns, **named}
        theirs = [each for name, each in called.items() if name in ours]
        return ours.union(*([each] if isinstance(each, str) else each for each in theirs))

    def _checked(self, asked: Mapping[str, Any] | None) -> dict[str, Any]:
        if not asked:
            return {}
        task, metrics = self.resolved.task, self.metrics
        answers = None if task.answers is None else make_answers(task, self.targets)
        asks = evaluation_asks(metrics, metrics.answers or answers, self.reader)
        return given_asks(asks, asked, task=task.name)

    def _on(self, split: str | None) -> Run:
        """The run that measures on that split of its own rows; None: the recipe's."""
        return self._with(split=split)

    def _with(self, **settings: Any) -> Run:
        """The run with other settings of its evaluation; of None the recipe's."""
        given = {name: value for name, value in settings.items() if value is not None}
        if not given:
            return self
        section = self.recipe.evaluation.model_copy(update=given)
        return replace(self, recipe=self.recipe.model_copy(update={"evaluation": section}))

    def explain(
        self,
        rows: int | Sequence[Any] = 20,
        *,
        method: str | Sequence[str] = USUAL,
        of: str | None = None,
        faithfulness: bool = True,
        sanity: bool = True,
        wrong: bool = False,
        seed: int = 0,
        into: str | Path | None = None,
        quiet: bool = False,
        **options: Any,
    ) -> Explanations:
        """Explain answers of the trained model: how much each unit of a value (word, patch,
        time-frequency cell, field) raises the number that is answered.

        ``rows`` is how many held-out rows are drawn, or a list of raw values. ``method`` names one
        explainer or several: ``occlusion``, ``lime``, ``integrated-gradients``,
        ``gradient-x-input``, ``grad-cam`` for pictures, ``attention-rollout`` for transformers, or
        a plugin's; ``options`` are theirs.
        ``of`` is the label, or the number of a regression, that is explained; unset, each row's
        answer. ``faithfulness`` measures how the answer falls where units are hidden in the order
        of their weights, against random orders; ``sanity`` whether weights change where the
        network's are random (Adebayo et al. 2018). ``wrong`` draws among the held-out rows that are
        answered wrongly. A page and a record are written into the run's
        folder, or ``into`` another, and the run's report tells the figures.

        Raises PredictError for what cannot be explained, RunError where no row is held out.
        """
        from multigraft.runs.explaining import Wanted, explain_run

        methods = tuple(method) if isinstance(method, list | tuple) else (method,)
        wanted = Wanted(
            methods=methods,
            of=of,
            faithfulness=faithfulness,
            sanity=sanity,
            seed=seed,
            options=options,
            wrong=wrong,
        )
        with self._watched(quiet=quiet) as run:
            return explain_run(run, rows, wanted, None if into is None else Path(into))

    def export(self, *, quiet: bool = False) -> Report:
        """Write the bundle; ``report.files["bundle"]`` is its folder. ``quiet`` shows no
        progress."""
        with self._watched(quiet=quiet) as run:
            self.report = run.dispatch("export", run)
        return self.report

    @contextmanager
    def _watched(self, *, quiet: bool) -> Iterator[Run]:
        """This run, its display open; unless ``quiet``, with none."""
        run = replace(self, display=UNSEEN) if quiet else self
        with run.display:
            yield run

    def record(self, **facts: Any) -> None:
        """Add facts to run.json."""
        self.facts.update(facts)
        if self.world.leads:
            write_json(self.folder / RECORD, self.facts)
