"""Page of explanations: one self-contained file with no script and no request, light and dark."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from multigraft.contracts.numbers import figure, interval
from multigraft.evaluation.explain.drawing import Drawing, drawing_of
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
    return (
        templates("evaluation/explain")
        .get_template("explanations.html.j2")
        .render(
            title=found.title,
            version=__version__,
            facts=found.facts,
            notes=found.notes,
            cards=cards,
            table=report.tables["methods"],
            charts=list(_charts(found)),
            rows=[_row(row.place, row.by) for row in found.rows],
        )
    )


def _charts(found: Explanations) -> Iterator[tuple[str, Markup]]:
    from multigraft.evaluation.explain.explanations import mean_curves

    for method in found.methods:
        each = [row.by[method] for row in found.rows]
        if each[0].faithfulness is None:
            continue
        series = {
            name: list(zip(np.linspace(0, 100, len(curve)).tolist(), curve.tolist(), strict=True))
            for name, curve in mean_curves(each).items()
        }
        title = f"{method}: mean of {each[0].of!r}" if _same(each) else f"{method}: mean answer"
        chart = charts.line_chart(series, title=title, x_label="% of units hidden or shown")
        yield title, Markup(chart)


def _same(found: list[Explanation]) -> bool:
    return len({each.of for each in found}) == 1


def _row(place: str, by: Any) -> dict[str, Any]:
    first: Explanation = next(iter(by.values()))
    another = first.explained_value
    return {
        "place": place,
        "of": first.of,
        "value": f"{first.value:.4g}",
        "hidden": f"{first.hidden:.4g}",
        "another": "" if another is None else f"{first.precision} {another:.4g}",
        "methods": [
            {
                "name": name,
                "cost": f"{each.calls} calls, {each.seconds:.3g} s",
                "drawings": list(_drawings(each)),
                "faithful": None if each.faithfulness is None else each.faithfulness.figures(),
            }
            for name, each in by.items()
        ],
    }


def _drawings(found: Explanation) -> Iterator[Drawing]:
    largest = float(np.abs(found.weights).max(initial=0))
    weights = found.by_branch()
    for branch, units in found.units.items():
        yield drawing_of(branch, units, weights[branch], largest)
