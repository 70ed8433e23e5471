"""plugins, recipe, schema, doctor and demo."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import multigraft.cli.checkup as checkup
import multigraft.plugins.catalog as catalog
import multigraft.system.versions as versions
from multigraft.cli.starter import write
from multigraft.plugins.catalog import Catalog
from multigraft.plugins.info import PluginInfo
from multigraft.recipe import Recipe, check, schema

OFF = PluginInfo("speech", "0.1.0", "multigraft", object, error="No module named 'soundfile'")


class FakeCatalog:
    plugins = (PluginInfo("text", "0.1.0", "multigraft", object, {"tasks": ("a", "b")}), OFF)


def test_plugins_are_listed_with_why_one_is_off(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "Catalog", FakeCatalog)
    said = cli("plugins")
    assert "tasks: a, b" in said.out and "off: No module" in said.out
    assert "1 on, 1 off" in said.err
    listed = json.loads(cli("plugins", "--json").out)
    assert [(each["name"], each["error"]) for each in listed] == [
        ("text", None),
        ("speech", OFF.error),
    ]


def test_why_tells_all_of_one(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "Catalog", FakeCatalog)
    assert cli("plugins", "--why", "speech").out.splitlines()[-1] == f"  off: {OFF.error}"
    said = cli("plugins", "--why", "spech")
    assert said.code == 2
    assert "did you mean 'speech'?" in said.err


def test_plugins_are_chosen_and_hook_calls_shown_for_one_command(cli: Any) -> None:
    import os

    said = cli("--plugins", "text", "--trace", "plugins", "--json")
    states = {each["name"]: each["error"] for each in json.loads(said.out)}
    assert (states["text"], states["vision"]) == (
        None,
        "not asked for: MULTIGRAFT_PLUGINS is 'text'",
    )
    assert not {"MULTIGRAFT_PLUGINS", "MULTIGRAFT_TRACE"} & os.environ.keys()


def test_the_schema_is_the_recipe_s(cli: Any) -> None:
    assert json.loads(cli("schema").out) == schema()


def fields(model: Any = Recipe) -> list[str]:
    names: list[str] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        section = hasattr(inner, "model_fields") and name not in ("task", "backbone", "augment")
        names += [name, *fields(inner)] if section else [name]
    return names


def test_the_starter_is_a_valid_recipe_with_every_field(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my rows.csv").touch()
    said = cli(
        "recipe",
        "--task",
        "text-classification",
        "--backbone",
        "bert-tiny",
        "--data",
        "my rows.csv",
    )
    assert said.code == 0, said.err
    recipe, problems = check(yaml.safe_load(said.out))
    assert problems == []
    raw = {"task": "text-classification", "backbone": "bert-tiny", "data": "my rows.csv"}
    assert recipe == Recipe.parse(raw)
    for name in fields():
        assert f"{name}:" in said.out
    path = tmp_path / "recipe.yaml"
    path.write_text(said.out, encoding="utf-8")
    checked = cli("recipe", "check", str(path), "--json")
    assert (checked.code, json.loads(checked.out)["problems"]) == (0, [])


def test_the_starter_is_right_when_all_of_it_is_uncommented() -> None:
    found = Catalog()
    for task, backbone in (
        ("text-classification", "bert-tiny"),
        ("image-classification", "resnet-tiny"),
    ):
        family = found.backbone(backbone)[0]
        text = write(found.task(task), backbone, family, found.modality(family.modality), "x.csv")
        settings = [line for line in text.splitlines() if line.lstrip().startswith("# ")]
        assert all(len(line) < 112 for line in settings)
        for option in found.task(task).options:
            assert f"  # {option}:" in text


def test_an_unknown_name_is_wrong_usage(cli: Any) -> None:
    said = cli("recipe", "--backbone", "bert-tny")
    assert (said.code, said.out) == (2, "")
    assert "did you mean 'bert-tiny'?" in said.err


def test_check_gives_every_problem_as_json(cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("task: x-y-z\n", encoding="utf-8")
    said = cli("recipe", "check", str(path), "--json")
    assert said.code == 2
    problems = json.loads(said.out)["problems"]
    assert {problem.split(":")[0] for problem in problems} == {"task", "backbone", "data"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("rwos.csv", r"data.train: rwos.csv: does not exist; did you mean 'rows.csv'?"),
        ("{train: rows.csv, test: nowhere/t.csv}", "data.test: nowhere/t.csv: does not exist"),
        ("{train: [rows.csv, photos], test: 'p/*.csv'}", "data.train: photos: does not exist"),
        ("{train: rows.csv, test: 'p/*.csv'}", "data.test: p/*.csv: matches no file"),
        ("{train: 'hub:a/b', test: 's3://a/b.csv'}", ""),
        ("{train: a/b, format: hub}", ""),
        ("[rows.csv, '*.csv', .]", ""),
    ],
)
def test_check_looks_whether_the_data_is_there(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").touch()
    path = tmp_path / "recipe.yaml"
    path.write_text(f"task: text-classification\nbackbone: bert-tiny\ndata: {data}\n")
    checked = cli("recipe", "check", str(path))
    assert checked.code == (2 if said else 0), checked.err
    assert said in checked.err
    problems = json.loads(cli("recipe", "check", str(path), "--json").out)["problems"]
    assert any(said in problem for problem in problems) if said else not problems


def test_doctor_says_what_is_missing_and_what_brings_it(
    cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = versions.version

    def version(name: str) -> str:
        if name == "timm":
            raise PackageNotFoundError(name)
        return "4.57.0" if name == "transformers" else real(name)

    monkeypatch.setattr(versions, "version", version)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    answer = json.loads(cli("doctor", "--json").out)
    libraries = {each["name"]: each for each in answer["libraries"]}
    assert libraries["timm"]["found"] is None
    assert libraries["timm"]["advice"] == 'pip install "multigraft[vision]"'
    assert (libraries["transformers"]["fits"], libraries["numpy"]["advice"]) == (False, "")
    assert libraries["torch"]["extra"] == "train"
    assert answer["machine"]["hub"]["HF_HUB_OFFLINE"] == "1"
    assert "cpu" in answer["machine"]["devices"]
    said = cli("doctor")
    assert said.code == 0
    assert "missing" in said.out and "multigraft[vision]" in said.out


def test_doctor_needs_no_torch(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "find_spec", lambda name: None)
    assert json.loads(cli("doctor", "--json").out)["machine"]["devices"] == ["cpu"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (set(), (None, None)),
        ({"avx2"}, (False, False)),
        ({"avx512_bf16", "avx512_vnni"}, (True, True)),
        ({"amx_bf16", "avx_vnni"}, (True, True)),
    ],
)
def test_native_formats_follow_the_processor(
    flags: set[str], expected: tuple[bool | None, ...]
) -> None:
    found = checkup.native_formats(flags)
    assert (found["bf16"], found["int8 (VNNI)"]) == expected


@pytest.mark.parametrize(("arguments", "only"), [([], None), (["--only", "audio"], "audio")])
def test_the_demo_is_handed_its_folder(
    cli: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], only: str | None
) -> None:
    from multigraft import cli as commands

    calls = []
    demo = ModuleType("multigraft.cli.demo")
    demo.main = lambda folder, *, only=None: calls.append((folder, only))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "multigraft.cli.demo", demo)
    monkeypatch.setattr(commands, "demo", demo, raising=False)
    assert cli("demo", "--out", "somewhere", *arguments).code == 0
    assert calls == [(Path("somewhere"), only)]


def test_the_cache_is_shown_and_cleared(cli: Any, cache_folder: Path) -> None:
    from multigraft.system.cache import new_entry

    with new_entry("rows", "some") as folder:
        (folder / "data").write_bytes(bytes(3_000_000))
    shown = cli("cache")
    assert str(cache_folder) in shown.out.replace("\n", "")
    assert "3.0 MB" in shown.out
    assert "0.00 of 20 GB" in shown.out
    assert json.loads(cli("cache", "--json").out)["bytes"] == {"rows": 3_000_000}
    assert json.loads(cli("cache", "--clear", "--json").out)["bytes"] == {"rows": 0}
