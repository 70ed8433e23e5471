"""Static files: the page that tries a model in a browser."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from importlib.resources import files

from starlette.responses import Response

from multigraft.runtime.serving.faults import Refusal

TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
START = "index.html"


def page_file(name: str) -> Response:
    """A file of the page. Raises Refusal for a name that is none."""
    found = _all().get(name)
    if found is None:
        raise Refusal(HTTPStatus.NOT_FOUND, f"the page has no file {name!r}")
    kind = TYPES[name.rpartition(".")[2]]
    return Response(
        found, media_type=f"{kind}; charset=utf-8", headers={"cache-control": "no-cache"}
    )


@cache
def _all() -> dict[str, bytes]:
    """All files by name, the shared ones first, so that no name of a request becomes a path."""
    folders = (files("multigraft.runtime") / "page", files("multigraft.runtime.serving") / "page")
    return {
        each.name: each.read_bytes()
        for folder in folders
        for each in folder.iterdir()
        if each.name.rpartition(".")[2] in TYPES
    }
