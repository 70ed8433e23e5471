"""The recipe's ``data:`` section: sources of rows, how they are split, and what is refused."""

from __future__ import annotations

from glob import has_magic
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from multigraft.contracts.formats import AUTO
from multigraft.recipe.choices import Section
from multigraft.system.files import expanded, whole_path
from multigraft.system.validation import FORMS

Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=2**53)]
"""A number that sizes nothing; one that does has a limit of its own, since a recipe may be a
stranger's."""
ALLOWED_BAD = 0.05


def _listed(value: Any) -> Any:
    """Read a source, or a list of them; anything else is told in one line."""
    several = list(value) if isinstance(value, list | tuple) else [value]
    if not several or not all(isinstance(each, str | Path) for each in several):
        raise ValueError("it should be a path, a name on the hub, a URL, or a list of these")
    return tuple(map(str, several)) if isinstance(value, list | tuple) else str(value)


Sources = Annotated[str | tuple[str, ...], BeforeValidator(_listed)]
"""A source of rows, or several that are read as one."""


def _form(value: Any) -> str:
    return FORMS[isinstance(value, list | tuple)]


Names = Annotated[
    Annotated[str, Tag(FORMS[0])]
    | Annotated[list[str], Field(min_length=1, max_length=100_000), Tag(FORMS[1])],
    Discriminator(_form),
]
"""A column of the data, or several that make one value."""


def _words(value: Any) -> Any:
    """Read a value, or several, as the text that a cell holds."""
    several = list(value) if isinstance(value, list | tuple) else [value]
    return tuple(map(str, several))


Values = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_words)]
"""A value of a column, or several."""


class Split(Section):
    """Shares of rows for the splits that have no file of their own."""

    validation: Share = 0.1
    """The share that chooses the best checkpoint."""
    test: Share = 0.1
    """The share that only `evaluate` sees."""
    group: str | None = None
    """The column whose equal values stay together (a speaker, a patient)."""
    stratify: bool = True
    """Keep the labels' shares in every split, where the task has labels."""
    hold_out: dict[str, Values] = Field(default_factory=dict)
    """Column -> the value, or values, whose rows are the test, as ``{domain: films}``, and from
    which nothing is learned; ``test`` then says nothing (leave-one-domain-out)."""


class Leakage(Section):
    """What is said and done about rows that stand in two splits."""

    near: bool = True
    """Look for nearly equal rows too, where the modality can tell them; equal ones are always
    looked for."""
    allowed: Annotated[float, Field(ge=0, le=1)] | None = None
    """The share of a split's rows that may also stand in training, equal or nearly so, before the
    run stops. A note is given from the first; fewer than five stop a run only where this is 0.
    Unset: 0.5, or 1 of tables, whose rows may well be equal."""


class Importance(Section):
    """Importance weighting: training rows count as rows of another domain would."""

    toward: Sources
    """Rows of that domain; no labels are needed."""
    clip: Annotated[float, Field(gt=1, le=1e6)] = 10.0
    """The largest weight, and one over the least, before all are divided by their mean."""
    limit: Count = 2000
    """Use at most this many of those rows, drawn with the seed."""


class Data(Section):
    """Sources of rows, and what their columns mean."""

    train: Sources
    """A file (CSV, JSON lines, Parquet, or of a plugin's format), a folder (one subfolder a class,
    or files of rows), a pattern (``parts/*.csv``), a list of these, ``hub:owner/name``, or a
    URL."""
    validation: Sources | None = None
    """Rows of their own for validation; unset: a share of ``train``."""
    test: Sources | None = None
    """Rows of their own for the test; unset: a share of ``train``."""
    format: str = "auto"
    """What ``train`` is: ``csv``, ``json``, ``parquet``, ``arrow``, ``xlsx``, ``lines``,
    ``paragraphs``, a plugin's, as ``conll``, ``folder`` or ``hub``; ``auto`` goes by its ending."""
    encoding: str = "auto"
    """In what files of text are written, as ``cp1252`` or ``utf-16``; ``auto``: UTF-8, or what a
    file's bytes tell, which is noted."""
    quotes: Literal["auto", "on", "off"] = "auto"
    """Whether quotes enclose a cell of a CSV file (``on``) or are text (``off``); ``auto``: ``off``
    where tabs separate the cells, unless the header is quoted."""
    columns: dict[str, Names] = Field(default_factory=dict)
    """Our name of a column -> its name in the data, as ``{text: review, label: stars}``; the values
    of ``id`` must not repeat, in any split. A table's are a list, as ``{table: [age, city]}``;
    unset, it has every column that nothing else reads."""
    missing: Literal["refuse", "allow"] = "refuse"
    """Of several branches: whether rows that lack a value of some are learned from (``allow``) or
    are bad rows (``refuse``)."""
    split: Split = Field(default_factory=Split)
    on_bad_row: Literal["stop", "skip", "quarantine"] = "stop"
    """What a row that cannot be used does: ``stop`` the run, be left out and listed (``skip``), or
    besides be written to the run's folder, where it can be corrected (``quarantine``)."""
    allowed_bad: Share | None = None
    """The share of a split's rows that ``skip`` and ``quarantine`` leave out before the run stops
    all the same; unset: 0.05."""
    leakage: Leakage = Field(default_factory=Leakage)
    importance: Importance | None = None
    """Weigh the loss of each training row by how much more probable its features, by the backbone
    as it begins, are in another domain; unset: all rows count the same."""
    limit: Count | None = None
    """Use at most this many training rows, drawn with the seed and in the labels' shares."""
    limit_held_out: Count | None = None
    """The same of the rows of validation, and of the test."""

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value == AUTO:
            return value
        try:
            "".encode(value)
        except (LookupError, ValueError) as error:
            raise ValueError(
                "it is no encoding of text, as UTF-8, cp1252 and utf-16 are"
            ) from error
        return value

    @field_validator("split")
    @classmethod
    def _is_the_only_test(cls, value: Split, info: ValidationInfo) -> Split:
        if value.hold_out and info.data.get("test") is not None:
            raise ValueError("data.test has rows of its own: leave it out, or hold_out")
        return value

    @field_validator("allowed_bad")
    @classmethod
    def _needs_leave(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value and info.data.get("on_bad_row") == "stop":
            raise ValueError(
                "data.on_bad_row is 'stop', which allows none: set it to 'skip' or 'quarantine'"
            )
        return value

    @property
    def named(self) -> dict[str, str]:
        """Our names of columns that are one column of the data -> its name there."""
        return {ours: each for ours, each in self.columns.items() if isinstance(each, str)}

    @property
    def listed(self) -> dict[str, list[str]]:
        """Our names of columns that are several of the data -> those."""
        return {ours: each for ours, each in self.columns.items() if isinstance(each, list)}

    @property
    def bad_share(self) -> float:
        """The share of a split's rows that may be left out."""
        if self.on_bad_row == "stop":
            return 0.0
        return ALLOWED_BAD if self.allowed_bad is None else self.allowed_bad


def given_path(value: str | None) -> str | None:
    """Complete a local path; what is no path here (a hub name, ``scratch``) stays as it is."""
    if value is None or not expanded(value).exists():
        return value
    return str(whole_path(value))


def given_source(value: Sources | None) -> Sources | None:
    """Complete the local paths of a source, patterns among them."""
    if isinstance(value, tuple):
        return tuple(map(_whole_source, value))
    return None if value is None else _whole_source(value)


def _whole_source(value: str) -> str:
    found = given_path(value) or value
    local = found == value and has_magic(value) and "://" not in value
    return str(expanded(value).absolute()) if local and not value.startswith("hub:") else found
