"""The examples of the guide for authors are one plugin that works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import multigraft as mg
import multigraft_series
from docs.test_docs import HOOKS
from helpers.packages import ROOT
from helpers.samples import write_texts
from helpers.toys import write_rows
from multigraft.plugins.catalog import Catalog
from multigraft.plugins.rules import KINDS, MOMENTS
from multigraft.testing import check_plugin

GUIDE = ROOT / "docs" / "plugins"
CHECKS = (
    "record arrays same-value-same-arrays reader-from-json reader-threads row-errors builds "
    "features padding steady-forward blocks strategies save-load saved-reader replay losses chance "
    "trains resumes plans weighs"
).split()
"""Those that need no package of its own for the plugin, less the slow ones of the graph."""
NOUNS = [f"register_{kind}" for kind in KINDS]


def examples(page: str) -> dict[str, str]:
    """Every block behind ``<!-- test: name -->`` on a page of the guide."""
    text = (GUIDE / page).read_text(encoding="utf-8")
    return dict(re.findall(r"<!-- test: ([\w-]+) -->\n```python\n(.*?)```", text, re.S))


def module(name: str, *sources: str) -> ModuleType:
    """A plugin made of examples."""
    made = ModuleType(name)
    for source in sources:
        exec(compile(source, f"{name} in the guide", "exec"), made.__dict__)
    return made


def test_each_hook_has_an_example() -> None:
    assert list(examples("hooks.md")) == HOOKS


@pytest.mark.parametrize("hook", HOOKS)
def test_an_example_answers_its_hook(hook: str) -> None:
    example: Any = module(hook, examples("hooks.md")[hook])
    plugins: list[object] = [example]
    if hook in MOMENTS:
        plugins = [each(1) if name == "Budget" else each() for name, each in classes(example)]
    catalog = Catalog(plugins, discover=False)
    assert catalog.plugins[-1].hooks == (hook,)
    if hook in NOUNS:
        assert catalog.plugins[-1].brings


def classes(example: ModuleType) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(example).items() if isinstance(value, type))


def test_the_answers_of_the_guide_answer_and_count() -> None:
    text = (GUIDE / "hooks.md").read_text(encoding="utf-8")
    found = re.findall(r"<!-- example: answers -->\n```python\n(.*?)```", text, re.S)
    answers: Any = module("answers", *found).Highest({})
    levels = [np.array([0.5, 2.0, 9.0]), np.array([3.0, 1.0])]  # the 9 lies in the padding
    windows = [mg.Window({}, {"levels": each}, 2) for each in levels]
    made = [answers.answer("raw", windows, {"above": bar}) for bar in (0, 3)]
    assert made == [{"place": 2}, {"place": None}]
    scores = [answers.score(answer, {"place": 2})["right"] for answer in made]
    assert answers.summarise({"right": np.array(scores)}) == {"accuracy": 0.5}


@pytest.fixture(scope="module")
def bits() -> ModuleType:
    """The nouns of the guide as one plugin."""
    found = examples("hooks.md")
    return module("bits_plugin", *(found[hook] for hook in NOUNS))


def test_the_nouns_keep_their_contracts(bits: ModuleType) -> None:
    assert check_plugin(bits, checks=CHECKS).count("passed") > 20


def test_the_nouns_and_verbs_go_the_whole_way(bits: ModuleType, tmp_path: Path) -> None:
    found = examples("hooks.md")
    verbs = [module(verb, found[verb]) for verb in ("pretrain", "finetune", "evaluate", "export")]
    good_enough = module("epoch_end", found["epoch_end"]).GoodEnough()
    engine = mg.Engine([bits, *verbs, good_enough], discover=False, strict=True)
    common = {
        "data": str(rows(tmp_path)),
        "export": {"precisions": ["fp32"]},
        "evaluation": {"bootstrap": 0},
    }
    training = {"epochs": 40, "batch_size": 32, "learning_rate": 0.02}
    first = engine.start(
        {
            **common,
            "task": "bits-counting",
            "backbone": "bitnet-tiny",
            "training": {**training, "epochs": 2},
            "output": str(tmp_path / "first"),
        },
        "pretrain",
    )
    assert first.report is not None
    assert f"learned from {len(first.rows['train'])} rows without labels" in first.report.notes
    run = engine.start(
        {
            **common,
            "task": "bits-classification",
            "backbone": {"name": "bitnet-tiny", "weights": str(first.folder)},
            "strategy": ["slow-backbone"],
            "training": training,
            "output": str(tmp_path / "second"),
        },
        "finetune",
    )
    assert run.stop == "good enough"
    assert "measured on the night shift" in run.evaluate().notes
    files = run.export().files
    assert Path(files["size"]).read_text().endswith(" bytes\n")
    answers = mg.load(files["bundle"], catalog=engine.catalog).predict(["1111101111", "0000010000"])
    assert [answer["label"] for answer in answers] == ["many", "few"]


def rows(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["bits,label"]
    for index in range(160):
        share = (0.15, 0.85)[index % 2]
        signs = (rng.random(rng.integers(8, 16)) < share).astype(int)
        lines.append("".join(map(str, signs)) + f",{'many' if index % 2 else 'few'}")
    path = folder / "bits.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_verb_is_answered_or_left(tmp_path: Path) -> None:
    verb = module("finetune", examples("hooks.md")["finetune"])
    engine = mg.Engine([multigraft_series, verb], discover=False, strict=True)
    recipe: dict[str, Any] = {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "data": str(write_rows(tmp_path / "series.csv")),
    }
    for epochs, title in ((0.001, "as it was"), (0.2, "series-classification with tcn-tiny")):
        run = engine.start(
            {**recipe, "training": {"epochs": epochs}, "output": str(tmp_path / str(epochs))},
            "finetune",
        )
        assert run.report is not None
        assert run.report.title == title
    assert "accuracy" in engine.open(tmp_path / "0.001").evaluate().metrics


def test_the_budget_ends_a_training(tmp_path: Path) -> None:
    budget = module("step_end", examples("hooks.md")["step_end"]).Budget(0)
    run = mg.Engine([multigraft_series, budget], discover=False, strict=True).start(
        {
            "task": "series-classification",
            "backbone": "tcn-tiny",
            "data": str(write_rows(tmp_path / "series.csv")),
            "output": str(tmp_path / "run"),
        },
        "finetune",
    )
    assert run.stop == "0 seconds are over"


def test_callbacks_are_handed_over_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_texts(tmp_path, 80).rename(tmp_path / "reviews.csv")
    monkeypatch.chdir(tmp_path)
    found = examples("callbacks.md")
    scope = module("callbacks", found["callbacks"]).__dict__
    assert (scope["run"].folder / "tensorboard").is_dir()
    assert (tmp_path / "all-runs.csv").is_file()
    assert Catalog([module("patience", found["patience"]).GoodEnough()], discover=False)
