"""The grid of an experiment: a recipe, what varies in it, and where each run is tested."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from multigraft.experiments.search.space import Search
from multigraft.recipe import Data, Section
from multigraft.recipe.choices import trained
from multigraft.system.validation import problem_lines

ALL = "all"
Named = Annotated[Data, BeforeValidator(trained)]


def several(value: Any) -> Any:
    """Read where runs are tested: ``all``, one domain, or several."""
    return (value,) if isinstance(value, str) and value != ALL else value


class Grid(Section):
    """An experiment, whole: every cell is a run of `recipe` with one value of each that varies."""

    recipe: dict[str, Any] = Field(default_factory=dict)
    """What all cells share, as a recipe says it; what varies is laid over it."""
    domains: dict[str, Named] = Field(default_factory=dict)
    """Data by name, each a path or what a recipe's ``data`` may say; ``vary.data`` and ``test_on``
    name them. ``test`` is needed where runs of other domains are tested on one; one that is left
    out is tested on all its rows where it has none."""
    vary: dict[str, list[Any] | dict[str, Any]] = Field(default_factory=dict)
    """Field of a recipe -> its values, as ``{data: [books, films], training.learning_rate: [1e-3,
    1e-2], seed: [0, 1, 2]}``; every combination is a cell. Values that are long to write may have
    names: ``backbone: {small: {name: bert-tiny}, large: {name: bert-base}}``. Of ``data``, ``all``
    stands for each domain and ``leave-one-domain-out`` for ``all but`` each: learned from the
    others, and tested on it."""
    exclude: tuple[dict[str, Any], ...] = ()
    """Combinations that are left out: field -> value, or a list of values."""
    cells: tuple[dict[str, Any], ...] = ()
    """Further cells, one by one: field -> value, as a baseline that no combination is."""
    test_on: Annotated[Literal["all"] | tuple[str, ...], BeforeValidator(several)] = ()
    """The domains on whose test rows every run is measured, labels matched by name; unset: each run
    on its own held-out rows alone. One that leaves a domain out is tested on that one."""
    search: Search | None = None
    """A search for the best values of further fields; what varies is then trained with the best
    that were found for it."""
    metric: str | None = None
    """What tables and figures show; unset: what the task is monitored by."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes that train cells side by side; 1 trains in this process."""
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Threads of each cell; unset: the cores of this machine by the workers. Sums of floats depend
    on it, so an experiment keeps what it began with."""
    gpus: Annotated[float, Field(ge=0)] = 0
    """GPUs of each cell where Ray shares them out; cells may have parts of one."""
    keep: Literal["runs", "scores"] = "runs"
    """What stays of a cell once it is measured: its whole run, or all of it but the weights."""
    output: str | None = None
    """The experiment's folder; unset: ``experiments/`` and the name of the grid's file."""

    @property
    def test_domains(self) -> tuple[str, ...]:
        """The domains of `test_on` by name."""
        return tuple(self.domains) if self.test_on == ALL else tuple(self.test_on)

    def to_yaml(self) -> str:
        """The grid as YAML, what was not given left out."""
        given = self.model_dump(mode="json", exclude_unset=True)
        return yaml.safe_dump(given, sort_keys=False, allow_unicode=True)


def check_fields(raw: Any) -> tuple[Grid, list[str]]:
    """Check the fields of a grid: what is right of it, and every problem as a line."""
    try:
        return Grid.model_validate(raw), []
    except ValidationError as error:
        wrong = {each["loc"][0] for each in error.errors() if each["loc"]}
        right = {name: raw[name] for name in raw if name not in wrong} if wrong else {}
        return Grid.model_validate(right), problem_lines(error, Grid)
