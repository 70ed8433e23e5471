"""The page holds what the report holds, escapes what is hostile, and asks nobody for anything."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar

import pytest

from multigraft.contracts.report import Confusion, Cost, Measure, Report, WorstRow
from multigraft.evaluation.report.page import render, shared_facts, write_page

HOSTILE = "</style></title><script>alert(1)</script>\"'><img src=x onerror=alert(2)> & {{ 7*7 }}"
FACTS = {"task": "text-classification", "seed": "0"}
TRAINED = Report(
    verb="finetune",
    title="a title",
    metrics={"validation accuracy": Measure(0.868)},
    curves={
        "loss": ((10.0, 2.0), (20.0, 1.0)),
        "validation loss": ((20.0, 1.5),),
        "validation accuracy": ((20.0, 0.7),),
        "validation f1_macro": ((20.0, 0.6),),
        "learning_rate": ((10.0, 1e-5), (20.0, 0.0)),
        "empty": (),
    },
    facts=FACTS,
    notes=("3 unreadable rows were left out",),
    cost=Cost(75.2, 2311.0, 93.2),
    files={"model": "runs/x/model"},
)
MEASURED = Report(
    verb="evaluate",
    title="a title",
    metrics={"loss": Measure(0.4, 0.3, 0.5), "accuracy": Measure(0.86231, 0.8451, 0.8790)},
    confusion=Confusion(("bad", "good"), ((8, 2), (1, 9))),
    worst=(WorstRow("rows.csv row 7", 3.25, "bad", "good"), WorstRow("rows.csv row 9", 2.0)),
    facts={**FACTS, "split": "test", "confidence": "0.9"},
    tables={"Precisions": (("name", "value", "why"), ("int8", "0.5 ms", "0.2 points lower"))},
)


class Elements(HTMLParser):
    """Every start tag with its attributes, the text, and whether tags nest."""

    VOID: ClassVar = {"meta", "img", "br", "link", "input", "hr"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def hostile() -> Report:
    """A report in which every text is hostile."""
    return Report(
        verb=HOSTILE,
        title=HOSTILE,
        metrics={HOSTILE: Measure(0.5, 0.4, 0.6)},
        curves={HOSTILE: ((1.0, 1.0), (2.0, 2.0)), "validation " + HOSTILE: ((1.0, 1.0),)},
        confusion=Confusion((HOSTILE, "b"), ((1, 2), (3, 4))),
        worst=(WorstRow(HOSTILE, 1.0, HOSTILE, HOSTILE),),
        facts={HOSTILE: HOSTILE, "confidence": HOSTILE},
        tables={HOSTILE: ((HOSTILE, "x"), (HOSTILE, "1"))},
        notes=(HOSTILE,),
        files={HOSTILE: HOSTILE},
    )


def test_hostile_text_stays_text() -> None:
    large = replace(
        hostile(), confusion=Confusion((HOSTILE, *map(str, range(29))), ((1,) * 30,) * 30)
    )
    page = render([hostile(), large], title=HOSTILE)
    elements = Elements(page)
    assert elements.count("script") == elements.count("img") == 0
    assert elements.count("title") > elements.count("svg") - 2
    assert not [
        name for _, attributes in elements.tags for name in attributes if name.startswith("on")
    ]
    assert "49" not in elements.text
    assert elements.text.count("alert(1)") > 10


def test_the_page_asks_nobody() -> None:
    page = render([TRAINED, MEASURED], title="a title")
    elements = Elements(page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    targets = [
        value
        for _, attributes in elements.tags
        for name, value in attributes.items()
        if name in ("href", "src")
    ]
    assert targets == ["#report-1", "#report-2"]
    policy = next(
        a["content"] for tag, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None and policy.startswith("default-src 'none'")


def test_what_no_row_is_told_in_words_has_no_column() -> None:
    listed = {
        number: Elements(render([replace(MEASURED, confusion=None, worst=(row,))], title="t"))
        for number, row in enumerate(
            (WorstRow("row 7", 3.25, "bad", "good"), WorstRow("row 7", 3.25))
        )
    }
    assert "Expected" in listed[0].text and "Answered" in listed[0].text
    assert "Expected" not in listed[1].text and "Answered" not in listed[1].text
    assert listed[0].count("td") - listed[1].count("td") == 2 and listed[1].open == []


def test_tags_nest_and_close() -> None:
    assert Elements(render([TRAINED, MEASURED, hostile()], title="a title")).open == []
    assert Elements(render([], title="nothing yet")).open == []


def test_the_page_says_what_the_reports_say() -> None:
    text = Elements(render([TRAINED, MEASURED], title="a title")).text
    for said in (
        "a title",
        "0.862",
        "0.845 to 0.879",
        "90 % bootstrap intervals",
        "3 unreadable rows were left out",
        "1 min 15 s, 2.3 GB peak, 93.2 rows/s",
        "rows.csv row 7",
        "3.25",
        "80%",
        "Precisions",
        "runs/x/model",
    ):
        assert said in text


def test_losses_come_last_among_the_metrics() -> None:
    text = Elements(render([MEASURED], title="t")).text
    assert text.index("Accuracy") < text.index("Loss")


def test_curves_that_belong_together_share_a_chart() -> None:
    page = render([TRAINED], title="t")
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert captions == ["Loss", "Validation", "Learning rate"]


def test_facts_that_all_reports_share_are_said_once() -> None:
    assert shared_facts([TRAINED, MEASURED]) == FACTS
    assert shared_facts([TRAINED, replace(MEASURED, facts={"seed": "1"})]) == {
        "task": "text-classification"
    }
    assert Elements(render([TRAINED, MEASURED], title="t")).text.count("text-classification") == 1


def test_every_table_and_chart_has_a_name() -> None:
    page = render([TRAINED, MEASURED], title="t")
    elements = Elements(page)
    assert elements.count("caption") == elements.count("table") == 3
    charts = re.findall(r'<svg class="(?:chart|interval|heat)".*?</svg>', page, re.DOTALL)
    assert charts and all('role="img"><title>' in chart for chart in charts)


@pytest.mark.parametrize(("labels", "drawn", "listed"), [(20, 0, 0), (21, 1, 1), (151, 0, 1)])
def test_a_large_confusion_matrix_is_drawn_and_a_huge_one_listed(
    labels: int, drawn: int, listed: int
) -> None:
    names = tuple(f"label {index}" for index in range(labels))
    matrix = tuple(
        tuple(5 if row == column else 1 for column in range(labels)) for row in range(labels)
    )
    page = render([replace(MEASURED, confusion=Confusion(names, matrix))], title="t")
    assert page.count('<svg class="heat"') == drawn
    assert page.count("<caption>Most frequent confusions") == listed


def test_units_are_aligned_as_numbers_and_sentences_are_not() -> None:
    page = render([MEASURED], title="t")
    assert '<td class="number">0.5 ms</td>' in page
    assert "<td>0.2 points lower</td>" in page


def test_numbers_that_are_none_do_not_break_the_page() -> None:
    odd = {
        "a": Measure(float("nan")),
        "b": Measure(float("inf"), 0.0, float("inf")),
        "c": Measure(-3.0, -4.0, -2.0),
    }
    assert "n/a" in Elements(render([replace(MEASURED, metrics=odd)], title="t")).text


def test_a_report_survives_json() -> None:
    assert Report.from_dict(json.loads(json.dumps(MEASURED.to_dict()))) == MEASURED
    assert Report.from_dict(json.loads(json.dumps(TRAINED.to_dict()))) == TRAINED


def test_the_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    assert write_page([MEASURED], path, title="Bäume") == path
    assert "Bäume" in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]
