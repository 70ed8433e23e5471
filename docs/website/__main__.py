"""Build the site: ``python docs/website [FOLDER]``, by default into build/site. A warning, as a
link that leads nowhere, fails the build."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from contents import START, pages, sidebar
from reference import write_all
from staging import stage

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str]) -> int:
    """Stage the pages, make the reference, run Sphinx; its exit code."""
    from sphinx.cmd.build import build_main

    out = Path(arguments[0] if arguments else ROOT / "build" / "site")
    with tempfile.TemporaryDirectory(prefix="multigraft-site-") as desk:
        source = Path(desk)
        stage(ROOT, source, pages())
        write_all(source / "reference")
        start = source / f"{START}.md"
        start.write_text(f"{start.read_text(encoding='utf-8')}\n{sidebar()}", encoding="utf-8")
        settings = Path(__file__).parent
        shutil.copyfile(settings / "conf.py", source / "conf.py")
        failed = build_main(["-q", "-W", "--keep-going", "-b", "html", desk, str(out)])
    _enter_by_its_name(out)
    return failed


def _enter_by_its_name(out: Path) -> None:
    """The first page under the name that servers look for."""
    (out / "index.html").write_text(
        f'<!doctype html><meta http-equiv="refresh" content="0; url={START}.html">'
        f'<title>multigraft</title><a href="{START}.html">multigraft</a>\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
