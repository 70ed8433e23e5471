"""Names are checked before anything is written, and what is written holds no name of the
template's."""

from __future__ import annotations

import ast
import json
import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from helpers.packages import ROOT, install, run, write_metadata
from multigraft.cli import main
from multigraft.errors import PluginError
from multigraft.plugins import scaffold
from multigraft.plugins.discovery import check_version
from multigraft.plugins.scaffold import BRINGS, new_plugin, package_of, renamed, template
from multigraft.system.about import __version__


@pytest.mark.parametrize("kind", BRINGS)
def test_every_kind_is_a_whole_package(kind: str, tmp_path: Path) -> None:
    folder = new_plugin("red-oak", kind, into=tmp_path / "not" / "yet")
    assert folder == tmp_path / "not" / "yet" / "multigraft-red-oak"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "multigraft-red-oak"
    assert project["entry-points"]["multigraft"] == {"red-oak": "multigraft_red_oak"}
    assert "license" not in project, "the author chooses"
    for name in (
        "README.md",
        ".gitignore",
        ".github/workflows/test.yml",
        "tests/test_contracts.py",
    ):
        assert (folder / name).is_file()
    text = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert not re.search(r"[Ss]apling|\btcn\b|multigraft.series|series-|['\"`]series\b", text)
    for path in folder.rglob("*.py"):
        ast.parse(path.read_text())
    assert not list(tmp_path.rglob("__pycache__"))


@pytest.mark.parametrize("kind", BRINGS)
def test_it_brings_what_its_name_promises(kind: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    install(new_plugin("red-oak", kind, into=tmp_path), site)
    done = run(
        ["-m", "multigraft.cli", "plugins", "--why", "red-oak", "--json"],
        site=site,
        folder=tmp_path,
    )
    (info,) = json.loads(done.stdout)
    assert info["error"] is None
    assert info["origin"] == "multigraft-red-oak"
    wanted = {
        records: [name.format("red-oak") for name in names]
        for records, names in BRINGS[kind].items()
    }
    found = {
        records: sorted({re.sub("-(tiny|small)$", "", name) for name in names})
        for records, names in info["brings"].items()
    }
    assert found == wanted


def test_each_is_made_for_this_version(tmp_path: Path) -> None:
    for init in [*template().rglob("src/*/__init__.py")]:
        (wanted,) = re.findall(r'requires_multigraft = "(.*)"', init.read_text())
        check_version(type("Plugin", (), {"requires_multigraft": wanted}))
    project = tomllib.loads((template() / "shared" / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == [f"multigraft[train]{wanted}"]
    assert wanted.startswith(f">={__version__.rpartition('.')[0]},")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1st",
        "Oak",
        "red_oak",
        "red--oak",
        "-oak",
        "oak-",
        "a b",
        "../oak",
        "öak",
        "oak/x",
        "o" * 41,
        "x\n",
    ],
)
def test_what_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="is no name for a plugin"):
        new_plugin(name, "task", into=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("text", "task", "plugin 'text' is installed, from multigraft"),
        ("full", "strategy", "plugin 'engine' registers the strategy 'full'"),
        ("bert", "backbone", "plugin 'text' registers the backbone 'bert'"),
        ("image-classification", "task", "registers the task 'image-classification'"),
        ("image", "modality", "registers the modality 'image'"),
    ],
)
def test_a_name_that_is_taken_is_refused(name: str, kind: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=re.escape(said)):
        new_plugin(name, kind, into=tmp_path)


def test_so_is_that_of_a_package_or_of_a_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "multigraft_oak").mkdir()
    with pytest.raises(PluginError, match="the package multigraft_oak can be imported already"):
        new_plugin("oak", "task", into=tmp_path)
    write_metadata(tmp_path, "multigraft-elm", "1.0", {})
    with pytest.raises(PluginError, match="multigraft-elm is installed"):
        new_plugin("elm", "task", into=tmp_path)


def test_a_folder_is_never_written_over(tmp_path: Path) -> None:
    folder = new_plugin("oak", "strategy", into=tmp_path)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(PluginError, match="exists already"):
        new_plugin("oak", "task", into=tmp_path)
    assert (folder / "mine.txt").read_text() == "mine"


def test_one_cut_short_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def breaks(text: str, name: str) -> str:
        written.append(text)
        if len(written) > 6:
            raise KeyboardInterrupt
        return text

    monkeypatch.setattr(scaffold, "renamed", breaks)
    with pytest.raises(KeyboardInterrupt):
        new_plugin("oak", "modality", into=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_is_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-plugin", "oak", "--kind", "task", "--into", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(tmp_path / "multigraft-oak")
    assert "multigraft check-plugin oak" in said.err
    assert main(["new-plugin", "oak", "--kind", "task", "--into", str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["new-plugin", "elm", "--kind", "tree", "--into", str(tmp_path)]) == 2
    assert main(["new-plugin", "elm", "--kind", "task", "--into", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["package"] == "multigraft_elm"
    assert "src/multigraft_elm/objective.py" in answer["files"]


def test_names_are_exchanged_whole() -> None:
    assert package_of("red-oak") == "multigraft_red_oak"
    assert renamed('name="series", x="series-denoising", SeriesNet', "oak") == (
        'name="oak", x="oak-denoising", OakNet'
    )
    assert (
        renamed("a series of numbers, seriesly, saplings", "oak")
        == "a series of numbers, seriesly, saplings"
    )


def test_the_wheel_holds_the_template(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    builder: Any = WheelBuilder(str(ROOT))
    (wheel,) = builder.build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith("multigraft/template/")}
    here = {
        f"multigraft/template/{path.relative_to(template()).as_posix()}"
        for path in template().rglob("*")
        if path.is_file() and not {"__pycache__", ".pytest_cache"} & set(path.parts)
    }
    assert inside == here
