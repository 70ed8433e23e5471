"""Staging: copy the repository's pages, and what they show or link to, to where Sphinx reads."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"(```.*?```)", re.S)
AWAY = ("http://", "https://", "mailto:", "#")


def stage(root: Path, into: Path, pages: Sequence[str]) -> None:
    """Copy ``pages`` (paths below ``root`` without ``.md``) into the folder ``into``.

    Their links stay as they are where they lead to one of them; another file is copied too, and
    offered for download; a folder is its README's page, or where it has none its name.
    """
    known = {f"{page}.md" for page in pages}
    for page in pages:
        source = root / f"{page}.md"
        text = FENCE.split(source.read_text(encoding="utf-8"))
        text[::2] = [_relinked(part, source.parent, root, into, known) for part in text[::2]]
        target = into / f"{page}.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(text), encoding="utf-8")


def _relinked(text: str, folder: Path, root: Path, into: Path, known: set[str]) -> str:
    def link(found: re.Match[str]) -> str:
        target = found["target"].partition("#")[0]
        if not target or found["target"].startswith(AWAY):
            return found[0]
        path = (folder / target).resolve()
        if path.is_dir():
            readme = (path / "README.md").relative_to(root).as_posix()
            if readme not in known:
                return f"`{found['text']}`" if "`" not in found["text"] else found["text"]
            return f"[{found['text']}]({target.rstrip('/')}/README.md)"
        if path.relative_to(root).as_posix() not in known:
            _copy(path, into / path.relative_to(root))
        return found[0]

    return LINK.sub(link, text)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
