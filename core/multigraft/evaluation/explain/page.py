"""Page of explanations: one self-contained file with no script and no request, light and dark."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

from multigraft.contracts.numbers import figure, interval
from multigraft.evaluation.explain.drawing import Drawing, drawing_of
from multigraft.evaluation.explain.explanations import COMMON, ExplainedRow, mean_curves
from multigraft.evaluation.explain.meanings import meanings
from multigraft.evaluation.report import charts
from multigraft.evaluation.report.page import templates
from multigraft.runtime.explain.explanation import Explanation
from multigraft.system.about import __version__

if TYPE_CHECKING:
    from multigraft.evaluation.explain.explanations import Explanations


def write_explanations(found: Explanations, path: Path) -> Path:
    """Write the page, whole or not at all, and return its path."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(render(found), encoding="utf-8")
    unfinished.replace(path)
    return path


def render(found: Explanations) -> str:
    """The page as text."""
    report = found.report()
    cards = [(name, figure(each), interval(each)) for name, each in report.metrics.items()]
    environment = templates("evaluation/explain")
    environment.filters["breakable"] = breakable
    template = environment.get_template("explanations.html.j2")
    return template.render(
        title=found.title,
        version=__version__,
        facts=found.facts,
        notes=found.notes,
        cards=cards,
        table=report.tables["methods"],
        measured=bool(set(COMMON) & set(found.known())),
        several=len(found.rows) > 1,
        meanings=list(meanings(found)),
        charts=list(_charts(found)),
        rows=[_row(row) for row in found.rows],
    )


def breakable(title: str) -> Markup:
    """A title whose long names may break behind a slash or an underscore.

    >>> breakable("timm/tf_net")
    Markup('timm/<wbr>tf_<wbr>net')
    """
    return Markup(re.sub(r"([/_]+)", r"\1<wbr>", str(escape(title))))


def _charts(found: Explanations) -> Iterator[tuple[str, Markup]]:
    """The curves of each method, all over one upright axis."""
    each = {method: [row.by[method] for row in found.rows] for method in found.methods}
    curves = {
        method: mean_curves(those)
        for method, those in each.items()
        if those[0].faithfulness is not None
    }
    heights = [height for those in curves.values() for curve in those.values() for height in curve]
    for method, those in curves.items():
        series = {
            name: list(zip(np.linspace(0, 100, len(curve)).tolist(), curve.tolist(), strict=True))
            for name, curve in those.items()
        }
        what = f"mean of {each[method][0].of!r}" if _same(each[method]) else "mean answer"
        title = f"{method}: {what}"
        span = (min(heights), max(heights))
        label = "% of units hidden (deletion) or shown (insertion)"
        chart = charts.line_chart(series, title=title, x_label=label, span=span)
        yield title, Markup(chart)


def _same(found: list[Explanation]) -> bool:
    return len({each.of for each in found}) == 1


def _row(row: ExplainedRow) -> dict[str, Any]:
    first: Explanation = next(iter(row.by.values()))
    another = first.explained_value
    methods = [_method(name, each) for name, each in row.by.items()]
    pictures = [drawing.picture for drawing in methods[0]["drawings"] if drawing.picture]
    return {
        "place": row.place,
        "of": first.of,
        "value": f"{first.value:.4g}",
        "hidden": f"{first.hidden:.4g}",
        "another": "" if another is None else f"{first.precision} {another:.4g}",
        "expected": row.expected,
        "answered": first.told_answer,
        "pictures": pictures,
        "methods": methods,
    }


def _method(name: str, found: Explanation) -> dict[str, Any]:
    return {
        "name": name,
        "cost": f"{found.calls} calls, {found.seconds:.3g} s",
        "drawings": list(_drawings(found)),
        "faithful": None if found.faithfulness is None else found.faithfulness.figures(),
    }


def _drawings(found: Explanation) -> Iterator[Drawing]:
    largest = float(np.abs(found.weights).max(initial=0))
    weights = found.by_branch()
    for branch, units in found.units.items():
        yield drawing_of(branch, units, weights[branch], largest)
