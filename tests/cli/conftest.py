from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from multigraft.cli import main
from multigraft.contracts.report import Measure, Report
from multigraft.recipe import Recipe
from multigraft.recipe.resolved import ResolvedRecipe

RAW = {"task": "text-classification", "backbone": "bert-tiny", "data": "rows.csv"}


@dataclass
class StandIn:
    """What the command line sees of a run."""

    folder: Path = Path("runs/x")
    recipe: Any = field(default_factory=lambda: Recipe.parse(RAW))
    report: Report | None = None
    stop: str | None = None
    total_steps: int = 6
    history: list[dict[str, Any]] = field(default_factory=list)
    resolved: Any = field(default_factory=lambda: SimpleNamespace(modality="a modality"))
    objective: Any = field(default_factory=lambda: SimpleNamespace(monitor="accuracy"))

    def evaluate(
        self,
        data: dict[str, str] | None = None,
        *,
        columns: dict[str, str],
        split: str | None,
        rows: Path | None,
        asked: dict[str, Any],
        groups: str | None,
    ) -> Report:
        given = {
            "data": data, "columns": columns, "rows": rows, "asked": asked, "groups": groups,
        }  # fmt: skip
        told = {name: str(value) for name, value in given.items() if value}
        return report("evaluate", split=split or self.recipe.evaluation.split, **told)

    def export(self) -> Report:
        asked = self.recipe.export
        told = {} if asked.rows is None else {"rows": f"{asked.rows} for {asked.budget:g}"}
        return report("export", precisions=" ".join(asked.precisions), **told)


def report(verb: str, **facts: str) -> Report:
    return Report(verb=verb, title="a title", metrics={"accuracy": Measure(0.75)}, facts=facts)


@pytest.fixture
def make_run() -> type[StandIn]:
    return StandIn


@dataclass
class Calls:
    """What reached the engine."""

    recipes: list[Recipe] = field(default_factory=list)
    plugins: Sequence[object] = ()
    verbs: list[str] = field(default_factory=list)
    raises: BaseException | None = None
    stop: str | None = None


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The engine and `multigraft.api` replaced by stand-ins that remember their calls."""
    import multigraft.api as api
    import multigraft.engine as engine

    calls = Calls()

    def verb(name: str) -> Any:
        def call(what: Any, *, plugins: Sequence[object] = (), quiet: bool = False) -> StandIn:
            calls.verbs.append(name)
            calls.recipes.append(what)
            calls.plugins = plugins
            run = StandIn(report=report(name), stop=calls.stop)
            for plugin in plugins:
                plugin.step_end(run=run, step=1, logs={"loss": 0.5, "learning_rate": 1e-3})  # type: ignore[attr-defined]
            if calls.raises is not None:
                raise calls.raises
            return run

        return call

    class Stub:
        def __init__(self, plugins: Sequence[object], *, catalog: object) -> None:
            self.plugins = plugins

        def start(self, resolved: ResolvedRecipe, stage: str) -> StandIn:
            made: StandIn = verb(stage)(resolved.recipe, plugins=self.plugins)
            return made

    monkeypatch.setattr(engine, "Engine", Stub)
    for name in ("resume", "open_run"):
        monkeypatch.setattr(api, name, verb(name))
    return calls


@dataclass
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command line; give its exit code and what it said."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("RANK", raising=False)

    def run(*arguments: str) -> Said:
        capsys.readouterr()
        code = main(list(arguments))
        heard = capsys.readouterr()
        return Said(code, heard.out, heard.err)

    return run
