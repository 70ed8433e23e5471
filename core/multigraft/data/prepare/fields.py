"""The recipe of a preparation: what is read, by which steps it is cleaned, how it is written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from multigraft.contracts.formats import AUTO
from multigraft.recipe.choices import Choice, Section, listed, named_list
from multigraft.recipe.data_fields import Count, Share, Sources, given_source
from multigraft.system.files import whole_path
from multigraft.system.validation import problem_lines

OTHER_NAMES = {
    "data": "source",
    "train": "source",
    "input": "source",
    "path": "source",
    "filters": "steps",
    "out": "output",
    "num_workers": "workers",
}
"""Names by which people know these fields from elsewhere."""


class StepChoice(Choice):
    """A filter, or a group of them, with its options."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)
    column: str | None = None
    """The column that is judged; unset: the first of the filter's modality, as ``text``."""


class Parts(Section):
    """Shares of rows that are held out; a row's own hash, or its group's, decides where it goes."""

    validation: Share = 0.0
    test: Share = 0.0
    group: str | None = None
    """The column whose equal values stay together (a document, a speaker)."""


Steps = Annotated[tuple[StepChoice, ...], BeforeValidator(named_list)]


class Preparation(Section):
    """One preparation, whole."""

    source: Sources
    """What is read: a file, a folder, a pattern (``crawl/*.jsonl.gz``), a list of these,
    ``hub:owner/name``, or a URL."""
    format: str = "auto"
    """As ``data.format`` of a recipe: ``csv``, ``json``, ``parquet``, ``arrow``, ``lines``,
    ``paragraphs``, a plugin's, ``folder``; ``auto`` goes by the ending."""
    encoding: str = AUTO
    """In what files of text are written; ``auto``: UTF-8, or what a file's bytes tell."""
    quotes: Literal["auto", "on", "off"] = "auto"
    """Whether quotes enclose a cell of a CSV file, as ``data.quotes`` of a recipe."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Our name of a column -> its name in the data, as ``{text: body}``."""
    modality: str = "text"
    """What a row's value is, as ``text``, ``image`` or ``audio``: steps that are for any modality
    look at its column, and duplicates are found as it says."""
    steps: Steps = ()
    """What is done to each row, in this order: filters and groups of filters by name, with
    options."""
    keep: Annotated[
        Annotated[tuple[str, ...], Field(min_length=1)] | None, BeforeValidator(listed)
    ] = None
    """The columns that are written, by our names; unset: all."""
    split: Parts = Field(default_factory=Parts)
    """Where a share of rows is held out, in folders ``validation`` and ``test`` beside
    ``train``."""
    shard_mb: Annotated[int, Field(ge=1, le=16_384)] = 256
    """About how many megabytes of rows make one Parquet file, before compression."""
    workers: Annotated[int, Field(ge=1, le=256)] | Literal["auto"] = "auto"
    """Processes that judge rows; ``auto``: one a core. The output does not depend on it."""
    examples: Annotated[int, Field(ge=0, le=1000)] = 5
    """How many dropped, mended and kept values of each step the page shows."""
    limit: Count | None = None
    """Read at most so many rows."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """The parts of the split follow from it."""
    output: str | None = None
    """The folder that is written; unset: ``prepared/`` and the name of the recipe's file."""

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            "".encode("utf-8" if value == AUTO else value)
        except (LookupError, ValueError) as error:
            raise ValueError(
                "it is no encoding of text, as UTF-8, cp1252 and utf-16 are"
            ) from error
        return value

    @field_validator("split")
    @classmethod
    def _leaves_rows(cls, value: Parts) -> Parts:
        if value.validation + value.test >= 1:
            raise ValueError("validation and test together leave nothing for training; lower them")
        return value

    def anchored(self) -> Preparation:
        """The same with whole paths, so that it means the same from any folder."""
        output = None if self.output is None else str(whole_path(self.output))
        return self.model_copy(update={"source": given_source(self.source), "output": output})

    def to_yaml(self) -> str:
        """The recipe as YAML, every field written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def check_fields(raw: Any) -> tuple[Preparation | None, list[str]]:
    """Check ``raw``: the recipe, or None with every problem as a line: field, found, allowed."""
    try:
        return Preparation.model_validate(raw), []
    except ValidationError as error:
        return None, problem_lines(error, Preparation, OTHER_NAMES)


def schema() -> dict[str, Any]:
    """The JSON Schema of such a recipe, for editors."""
    told = Preparation.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **told}
