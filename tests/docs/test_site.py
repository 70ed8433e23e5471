"""The site is built of the repository's pages and of the code; no link in it leads nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.main import get_command

from multigraft.cli.app import build
from multigraft.plugins.catalog import Catalog

ROOT = Path(__file__).parents[2]
WEBSITE = ROOT / "docs" / "website"
HREF = re.compile(r'(?:href|src)="([^"#][^"]*?)(?:#[^"]*)?"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built by the command of `make docs`."""
    pytest.importorskip("sphinx", reason="`make docs` installs what makes the site")
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, str(WEBSITE), str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out


def test_every_page_has_a_place_in_the_sidebar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(WEBSITE))
    import contents

    lying = {
        path.relative_to(ROOT).with_suffix("").as_posix()
        for folder in ("docs", "plugins", "examples", "benchmarks")
        for path in (ROOT / folder).rglob("*.md")
    }
    placed = set(contents.pages())
    assert {page for page in lying - placed if not page.startswith(contents.ELSEWHERE)} == set()
    assert {page for page in placed if not (ROOT / f"{page}.md").is_file()} == set()


def test_no_link_leads_nowhere(site: Path) -> None:
    assert list(dead_links(site)) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html">b</a> <a href="a.html#x">a</a>')
    assert list(dead_links(tmp_path)) == [("a.html", "b.html")]


def test_the_reference_has_every_command_and_every_option(site: Path) -> None:
    def text(page: str) -> str:
        html = (site / "reference" / f"{page}.html").read_text(encoding="utf-8")
        return re.sub(r"<[^>]+>", "", html)

    commands, catalogue = text("commands"), text("catalogue")
    root = get_command(build())
    assert [name for name in root.commands if f"multigraft {name}" not in commands] == []  # type: ignore[attr-defined]
    found = Catalog()
    records = [*found.tasks(), *found.strategies(), *found.backbones(), *found.modalities()]
    named = {word for each in records for word in (each.name, *each.options)}
    assert {word for word in named if word not in catalogue} == set()
    assert "Predictor" in text("python")
    assert "training.learning_rate" in text("recipe")


def dead_links(site: Path) -> Iterator[tuple[str, str]]:
    """Pages with what they link to that is not there; other sites are not asked."""
    for page in sorted(site.rglob("*.html")):
        for target in HREF.findall(page.read_text(encoding="utf-8")):
            if "://" in target or target.startswith(("mailto:", "data:")):
                continue
            if not (page.parent / unquote(target.partition("?")[0])).exists():
                yield page.relative_to(site).as_posix(), target
