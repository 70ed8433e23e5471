"""``rank``: values by how near they are to a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multigraft.cli.answer_table import table
from multigraft.cli.bundle import BundleFolder, OnePrecision, Provider, TopK, held
from multigraft.cli.inputs import Input, gather
from multigraft.cli.shell import AsJson, Shell
from multigraft.cli.train import Columns, named_columns
from multigraft.errors import RowError
from multigraft.evaluation.file_answers.bundle_tables import tables_of

if TYPE_CHECKING:
    from multigraft.runtime import Predictor

Query = Annotated[str, typer.Argument(metavar="QUERY", help="A text, or the path of a file.")]
Ranked = Annotated[
    list[str],
    typer.Option(
        "--data",
        help="What is ranked: a table or folder, whose rows are read, a .txt, a line each, or - "
        "for the lines of stdin. Repeatable.",
    ),
]


def rank(
    shell: Shell,
    bundle: BundleFolder,
    query: Query,
    *,
    data: Ranked,
    top_k: TopK = None,
    columns: Columns = None,
    provider: Provider = None,
    precision: OnePrecision = None,
    as_json: AsJson = False,
) -> None:
    """Rank values by how near their embeddings are to a query's; needs no torch.

    The nearest comes first, with its cosine and its place among the values, from 0. Empty lines are
    left out.
    """
    from multigraft.plugins.catalog import Catalog
    from multigraft.runtime import load

    catalog = Catalog()
    wanted = None if precision is None else precision.value
    predictor = load(held(bundle), precision=wanted, providers=provider, catalog=catalog)
    tables = tables_of(predictor.bundle, predictor.modality, catalog, named_columns(columns or ()))
    given = gather(data, predictor.modality, stdin=False, tables=tables)
    values = [each for each in given if each.error or not _blank(each.value)]
    if left := len(given) - len(values):
        shell.warn(f"{left} of {len(given)} values are empty and were left out")
    found = _ranked(predictor, query, values, top_k)
    if as_json:
        shell.say_json(found)
    elif found:
        shown = [each.pop("input") for each in found]
        shell.out.print(table(shown, found))


def _blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def _ranked(
    predictor: Predictor, query: str, values: Sequence[Input], top_k: int | None
) -> list[dict[str, Any]]:
    """Each value with its rank's score. Raises RowError for what cannot be read, which tells where
    it stands."""
    for each in values:
        if each.error:
            raise RowError(f"{each.shown}: {each.error}")
    ranked = predictor.rank(query, [each.value for each in values], top_k=top_k)
    return [{"input": values[each["index"]].shown, **each} for each in ranked]
