"""Tables as text: Markdown, LaTeX and CSV of rows of cells, the first of them the heading."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence

Table = Sequence[Sequence[str]]
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def markdown(table: Table) -> str:
    """A table of GitHub's Markdown.

    >>> print(markdown([("run", "accuracy"), ("a|b", "0.9")]), end="")
    | run | accuracy |
    |---|---|
    | a\\|b | 0.9 |
    """
    heading, *rows = [[_one_line(cell).replace("|", r"\|") for cell in row] for row in table]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(heading)} |", "|" + "---|" * len(heading), *lines, ""])


def latex(table: Table) -> str:
    """A ``tabular`` with the rules of the package booktabs.

    >>> print(latex([("run", "accuracy"), ("a_b", "0.9")]), end="")
    \\begin{tabular}{ll}
    \\toprule
    run & accuracy \\\\
    \\midrule
    a\\_b & 0.9 \\\\
    \\bottomrule
    \\end{tabular}
    """
    heading, *rows = [rf"{' & '.join(map(_escaped, row))} \\" for row in table]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{'l' * len(table[0])}}}",
            *(r"\toprule", heading, r"\midrule", *rows, r"\bottomrule"),
            r"\end{tabular}",
            "",
        ]
    )


def comma_separated(table: Table) -> str:
    """CSV, a line for each row."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue()


FORMATS: Mapping[str, Callable[[Table], str]] = {
    "markdown": markdown,
    "latex": latex,
    "csv": comma_separated,
}


def _one_line(cell: str) -> str:
    return " ".join(cell.split())


def _escaped(cell: str) -> str:
    return re.sub(r"[\\~^&%$#_{}]", lambda sign: LATEX[sign[0]], _one_line(cell))
