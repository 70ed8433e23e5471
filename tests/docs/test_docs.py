"""What the documents say is true: their examples run, and every hook is documented, tested and
used."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from typer.testing import CliRunner

import multigraft as mg
from helpers.samples import write_texts
from multigraft.plugins import hookspecs
from multigraft.plugins.catalog import Catalog

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "plugins" / "hooks.md").read_text(encoding="utf-8")
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "multigraft_spec")]


def example(name: str) -> str:
    """The block behind ``<!-- test: name -->`` in the README."""
    found = re.search(rf"<!-- test: {name} -->\n```\w+\n(.*?)```", README, re.S)
    assert found, f"README has no example {name!r}"
    return found[1]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A newcomer's folder: `reviews.csv` and nothing else."""
    write_texts(tmp_path, 80).rename(tmp_path / "reviews.csv")
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_three_lines_and_the_bundle(desk: Path) -> None:
    scope: dict[str, object] = {}
    exec(example("finetune"), scope)
    exec(example("predict"), scope)
    assert Path(str(scope["bundle"])).is_dir()


def test_pretraining_and_its_run_as_weights(desk: Path) -> None:
    scope: dict[str, object] = {}
    exec(example("pretrain"), scope)
    run = scope["run"]
    assert isinstance(run, mg.Run)
    assert run.facts["weights"].endswith("model")


def test_generation(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(example("generate"), {})
    assert "multigraft generate" in README
    assert capsys.readouterr().out


def test_the_recipe_on_the_command_line(desk: Path) -> None:
    from multigraft.cli.app import build

    (desk / "recipe.yaml").write_text(example("recipe"))
    mg.Recipe.parse(yaml.safe_load(example("recipe")))
    runner = CliRunner()
    for line in (
        "finetune recipe.yaml --set training.epochs=1",
        "evaluate runs/reviews",
        "predict runs/reviews/bundle 'a fine film'",
        "bench runs/reviews/bundle",
    ):
        assert f"multigraft {line}".split(" --set")[0].split(" '")[0] in README
        if line.startswith("predict"):
            assert runner.invoke(build(), ["export", "runs/reviews"]).exit_code == 0
        words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", line)]
        done = runner.invoke(build(), words)
        assert done.exit_code == 0, done.output
    assert "multigraft serve runs/reviews\n" in README
    _serve("runs/reviews")


def _serve(run: str) -> None:
    """Start a server as the README says, ask it as the README says, and stop it."""
    import httpx2

    command = [sys.executable, "-m", "multigraft.cli", "serve", run, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            url = next(
                found[0] for line in process.stderr if (found := re.search(r"http://\S+", line))
            )
            asked = json.loads('{"inputs": ["a fine film"]}')
            assert json.dumps(asked) in README
            said = httpx2.post(f"{url}/predict", json=asked, timeout=30, trust_env=False)
            assert said.json()["answers"][0]["label"] in ("first", "second")
        finally:
            process.terminate()
        assert process.wait(30) == 0


def test_the_twelve_line_plugin() -> None:
    source = example("plugin")
    assert sum(bool(line.strip()) for line in source.splitlines()) <= 12
    module = ModuleType("norms_plugin")
    exec(source, module.__dict__)
    catalog = Catalog([module], discover=False)
    assert catalog.strategy("norms-only").name == "norms-only"


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_tested_and_used(hook: str) -> None:
    assert f"### `{hook}(" in GUIDE, "the author's guide needs a section"
    doc = getattr(hookspecs, hook).__doc__
    assert doc
    assert len(doc) > 60, "the docstring is the contract"
    tests = "".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
    assert f"def {hook}(" in tests or f'"{hook}"' in tests, "no test implements it"
    in_tree = [*(ROOT / "core").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    users = [p for p in in_tree if p.name != "hookspecs.py" and f"def {hook}(" in p.read_text()]
    assert users, "nothing in the tree uses it"


def test_the_guide_names_no_hook_that_is_not_there() -> None:
    assert set(re.findall(r"^### `(\w+)\(", GUIDE, re.M)) == set(HOOKS)


def test_links_in_the_documents_lead_somewhere() -> None:
    guides = (ROOT / "plugins/README.md", ROOT / "plugins/template/README.md")
    for page in (ROOT / "README.md", *guides, *(ROOT / "docs").rglob("*.md")):
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = (
        "import sys, multigraft; heavy = {'torch', 'transformers', 'timm', 'numpy', 'pydantic', "
        "'onnxruntime'} & set(sys.modules); sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_file_is_over_400_lines() -> None:
    files = [*(ROOT / "core").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    long = {p.name: n for p in files if (n := len(p.read_text().splitlines())) > 400}
    assert not long
