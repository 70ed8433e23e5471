"""The notebooks are their scripts, run from start to end without a network, and what they say of
their figures is so."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multigraft.testing.no_network import no_network

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
MAKER = runpy.run_path(str(FOLDER / "__main__.py"), run_name="maker")
SCRIPTS = {path.stem: path for path in MAKER["SCRIPTS"]}
QUICK = ("text",)
"""Run in the quick suite; the others train more."""
Claim = Callable[[dict[str, Any]], None]


def accuracy(run: Any) -> Any:
    return run.evaluate(quiet=True).metrics["accuracy"]


def text(said: dict[str, Any]) -> None:
    """The probe is far above the baseline, and finetuning above the probe."""
    probe, run = accuracy(said["probe"]), accuracy(said["run"])
    assert probe.low > said["report"].baseline.value
    assert run.value > probe.value
    assert said["torch_imported"] == "False"


def vision(said: dict[str, Any]) -> None:
    assert said["report"].metrics["accuracy"].value > 0.8
    assert said["torch_imported"] == "False"


def speech(said: dict[str, Any]) -> None:
    assert said["report"].metrics["accuracy"].low > said["report"].baseline.value
    assert said["torch_imported"] == "False"


def several_modalities(said: dict[str, Any]) -> None:
    """Both senses know what neither knows alone."""
    alone = [accuracy(said[name]).high for name in ("of_text", "of_image")]
    assert accuracy(said["run"]).value > max(alone)
    assert said["torch_imported"] == "False"


def cross_domain(said: dict[str, Any]) -> None:
    """On the diagonal a domain's own names are the easiest; finetuning is above the probe there."""
    assert not said["experiment"].problems
    assert len(said["experiment"].cells) == 8
    means = said["accuracy"].groupby(["strategy", "data", "domain"])["value"].mean()
    for domain, other in (("countries", "currencies"), ("currencies", "countries")):
        assert means["full", domain, domain] > means["full", other, domain]
        assert means["full", domain, domain] > means["linear-probe", domain, domain]


CLAIMS: dict[str, Claim] = {
    each.__name__: each for each in (text, vision, speech, several_modalities, cross_domain)
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as a notebook begins in one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_five() -> None:
    assert SCRIPTS.keys() == CLAIMS.keys()
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == SCRIPTS.keys()


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_notebook_is_its_script(name: str) -> None:
    made = MAKER["notebook_of"](SCRIPTS[name].read_text(encoding="utf-8"))
    kept = SCRIPTS[name].with_suffix(".ipynb").read_text(encoding="utf-8")
    assert kept == made, "make it anew: python examples/notebooks"


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_notebook_installs_what_it_needs_in_one_cell(name: str) -> None:
    import nbformat

    notebook = nbformat.read(SCRIPTS[name].with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    lines = [line for cell in code_of(notebook) for line in cell.source.splitlines()]
    assert [line.startswith('%pip install -q "multigraft[') for line in lines].count(True) == 1
    assert lines[0].startswith("%pip")
    assert not [line for line in lines[1:] if line.startswith(("%", "!"))]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in sorted(SCRIPTS)
    ],
)
def test_a_script_runs_and_what_it_says_is_so(name: str, desk: Path) -> None:
    with no_network() as asked:
        said = runpy.run_path(str(SCRIPTS[name]))
    assert not asked
    CLAIMS[name](said)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_notebook_runs(name: str, desk: Path) -> None:
    """In a kernel, as people do; it shows tables of ours, and bars while it works."""
    html = executed(SCRIPTS[name].with_suffix(".ipynb"), desk)
    assert sum('class="mg-view"' in each for each in html) >= 5
    assert any("training, " in each and "<progress" not in each for each in html)


def executed(path: Path, desk: Path) -> list[str]:
    """The HTML that the cells of a notebook show; all but the one that installs are run."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [
        cell for cell in notebook.cells if "install" not in cell.metadata.get("tags", [])
    ]
    settings = {"metadata": {"path": str(desk)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=settings).execute()
    outputs = [output for cell in code_of(notebook) for output in cell.outputs]
    return [output.get("data", {}).get("text/html", "") for output in outputs]


def code_of(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
