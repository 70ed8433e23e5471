"""What the documents say is true: their examples run, and every hook is documented, tested and
used."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
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
SAID_TWICE = 40
"""Characters with which two lines begin alike only by mistake."""
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUICKSTART = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
AUTHORS = (ROOT / "plugins" / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "plugins" / "hooks.md").read_text(encoding="utf-8")
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "multigraft_spec")]


def example(page: str, name: str, kind: str = "test") -> str:
    """The block behind ``<!-- test: name -->`` on a page."""
    found = re.search(rf"<!-- {kind}: {name} -->\n```\w*\n(.*?)```", page, re.S)
    assert found, f"no example {name!r}"
    return found[1]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A newcomer's folder: `reviews.csv` and nothing else."""
    write_texts(tmp_path, 80).rename(tmp_path / "reviews.csv")
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_five_lines_print_what_the_readme_says(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, said = example(README, "five lines"), example(README, "five lines", "output")
    assert len(ast.parse(source).body) == 5
    (desk / "examples").symlink_to(ROOT / "examples")
    exec(source, {})
    accuracy, answer = capsys.readouterr().out.splitlines()
    low, high = numbers(said.splitlines()[0])[1:]
    assert low <= numbers(accuracy)[0] <= high, "other processors round otherwise, and no more"
    found, expected = ast.literal_eval(answer), ast.literal_eval(said.splitlines()[1])
    assert (found["label"], list(found["scores"])) == (expected["label"], list(expected["scores"]))
    assert found["score"] == pytest.approx(expected["score"], abs=0.05)


def test_the_readme_is_read_in_ninety_seconds() -> None:
    assert len(README.split()) <= 550


@pytest.mark.parametrize(
    ("row", "case"),
    [
        ("wav2vec2", "speech_finetune"),
        ("full finetuning", "text_finetune_best_fp32"),
        ("first answer", "bundle_start"),
    ],
)
def test_the_readmes_figures_are_a_benchmarks(row: str, case: str) -> None:
    """Each of a row's figures stands in its case's row of the machine that is named."""
    tables = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    epyc = tables.split("### epyc-2-cores")[1]
    measured = next(line for line in epyc.splitlines() if line.startswith(f"| {case} |"))
    told = next(line for line in README.splitlines() if line.startswith("|") and row in line)
    figures = re.findall(r"[\d.,]+ (?:s|rows/s)\b|[\d.]+x \([^)]*\)|[\d,]+(?= MB)", told)
    assert len(figures) >= 3
    assert [figure for figure in figures if figure not in measured] == []


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[\d.]+", text)]


def test_finetuning_and_the_bundle(desk: Path) -> None:
    scope: dict[str, object] = {}
    exec(example(QUICKSTART, "finetune"), scope)
    exec(example(QUICKSTART, "predict"), scope)
    assert Path(str(scope["bundle"])).is_dir()


def test_rows_in_python(desk: Path) -> None:
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    scope: dict[str, object] = {}
    exec(example(page, "containers"), scope)
    assert (desk / "runs" / "rows" / "data" / "train.parquet").is_file()


def test_answers_for_a_file(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scope: dict[str, object] = {}
    exec(example(QUICKSTART, "finetune"), scope)
    page = (ROOT / "docs" / "predicting.md").read_text(encoding="utf-8")
    capsys.readouterr()
    exec(example(page, "predict file").replace("runs/reviews/bundle", str(scope["bundle"])), {})
    assert capsys.readouterr().out == "80 0\n"
    heading = (desk / "answers.csv").read_text().splitlines()[0]
    assert heading.startswith("label,answer_label,answer_score,answer_scores_")
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    measured = example(page, "evaluate a bundle")
    exec(measured.replace("runs/reviews/bundle", str(scope["bundle"])), {})
    assert re.fullmatch(r"\S+ \[\S+, \S+\]\n", capsys.readouterr().out)


def test_pretraining_and_its_run_as_weights(desk: Path) -> None:
    scope: dict[str, object] = {}
    exec(example(QUICKSTART, "pretrain"), scope)
    run = scope["run"]
    assert isinstance(run, mg.Run)
    assert run.facts["weights"].endswith("model")


def test_generation(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(example(QUICKSTART, "generate"), {})
    assert "multigraft generate" in QUICKSTART
    assert capsys.readouterr().out


def test_the_recipe_on_the_command_line(desk: Path) -> None:
    from multigraft.cli.app import build

    (desk / "recipe.yaml").write_text(example(QUICKSTART, "recipe"))
    mg.Recipe.parse(yaml.safe_load(example(QUICKSTART, "recipe")))
    runner = CliRunner()
    for line in (
        "finetune recipe.yaml --set training.epochs=1",
        "evaluate runs/reviews",
        "predict runs/reviews/bundle 'a fine film'",
        "bench runs/reviews/bundle",
    ):
        assert f"multigraft {line}".split(" --set")[0].split(" '")[0] in QUICKSTART
        if line.startswith("predict"):
            assert runner.invoke(build(), ["export", "runs/reviews"]).exit_code == 0
        words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", line)]
        done = runner.invoke(build(), words)
        assert done.exit_code == 0, done.output
    assert "multigraft serve runs/reviews\n" in QUICKSTART
    _serve("runs/reviews")


def _serve(run: str) -> None:
    """Start a server as the quickstart says, ask it as it says, and stop it."""
    import httpx2

    command = [sys.executable, "-m", "multigraft.cli", "serve", run, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            url = next(
                found[0] for line in process.stderr if (found := re.search(r"http://\S+", line))
            )
            asked = json.loads('{"inputs": ["a fine film"]}')
            assert json.dumps(asked) in QUICKSTART
            said = httpx2.post(f"{url}/predict", json=asked, timeout=30, trust_env=False)
            assert said.json()["answers"][0]["label"] in ("first", "second")
        finally:
            process.terminate()
        assert process.wait(30) == 0


def test_the_twelve_line_plugin() -> None:
    source = example(AUTHORS, "plugin")
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


PAGES = [
    *ROOT.glob("*.md"),
    ROOT / "benchmarks" / "README.md",
    *(
        page
        for folder in ("docs", "examples", "plugins")
        for page in sorted((ROOT / folder).rglob("*.md"))
    ),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", text):
        target = page.parent / link if link else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}#{anchor}"


def anchors(page: Path) -> list[str]:
    """The headings of a page as a link names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_prose_has_a_sentence_a_line(page: Path) -> None:
    for paragraph in paragraphs(page.read_text(encoding="utf-8")):
        whole = [re.search(r"[.?!][)\"*]*$", line) for line in paragraph[:-1]]
        assert all(whole), f"a line ends within a sentence: {paragraph}"
        more = [line for line in paragraph if re.search(r"[^.][.?!][)\"*]* [^\s·]", line)]
        assert not more, f"a sentence begins within a line: {more}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_is_said_twice_in_a_row(page: Path) -> None:
    """As where two changes of one line were joined, and both were kept."""
    text = re.sub(r"^\s*```.*?^\s*```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for line, following in pairwise(text.splitlines()):
        assert len(line) < SAID_TWICE or not following.startswith(line[:SAID_TWICE]), line


def paragraphs(text: str) -> list[list[str]]:
    """The lines of each paragraph and item, without code, links' targets and what brackets hold."""
    text = re.sub(r"^\s*```.*?^\s*```$", "", text, flags=re.M | re.S)
    text = re.sub(r"`[^`]*`|\([^()]*\)|\bet al\.", "x", text)
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if not line.strip() or re.match(r"\s*([|#]|<!--|[-*] |\d+\. )", line):
            found.append([])
        if line.strip() and not re.match(r"\s*([|#]|<!--)", line):
            found[-1].append(re.sub(r"^\s*([-*]|\d+\.) ", "", line))
    return [paragraph for paragraph in found if paragraph]


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
