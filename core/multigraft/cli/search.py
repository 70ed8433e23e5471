"""``search``: the files of a folder by how near they are to a text, or to another file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multigraft.cli.bundle import BundleFolder, OnePrecision, Provider, held
from multigraft.cli.shell import AsJson, Shell
from multigraft.errors import BundleError

if TYPE_CHECKING:
    from rich.table import Table

    from multigraft.runtime import Gallery, Predictor

KIND, FILE = "galleries", "index.npz"
Where = Annotated[
    Path, typer.Argument(metavar="FOLDER|INDEX", help="What to search: files, or an index of some.")
]
Queries = Annotated[
    list[str],
    typer.Argument(metavar="QUERY...", help="Texts, or paths of files to find others by."),
]
IndexFile = Annotated[
    Path | None,
    typer.Option(
        "--index",
        metavar="FILE",
        help="Keep the folder's embeddings in this .npz file; in the cache by default.",
        show_default=False,
    ),
]
Branch = Annotated[
    str | None,
    typer.Option(help="The branch that reads the queries; by their form.", show_default=False),
]
GalleryBranch = Annotated[
    str | None,
    typer.Option(help="The branch that reads the folder; that of most files.", show_default=False),
]
Most = Annotated[int, typer.Option("--top-k", min=1, help="How many to show for each query.")]


def search(
    shell: Shell,
    bundle: BundleFolder,
    where: Where,
    queries: Queries,
    *,
    index: IndexFile = None,
    branch: Branch = None,
    gallery_branch: GalleryBranch = None,
    top_k: Most = 10,
    provider: Provider = None,
    precision: OnePrecision = None,
    as_json: AsJson = False,
) -> None:
    """Find files by a text or by another file, exactly; needs no torch.

    Files are embedded once and kept in an index; later searches read only what is new or changed.
    """
    from multigraft.runtime import load

    wanted = None if precision is None else precision.value
    predictor = load(held(bundle), precision=wanted, providers=provider)
    gallery = _gallery(shell, predictor, where, index, gallery_branch)
    if branch is None:
        _tell_missing(shell, predictor, queries)
    found = [_found(predictor, gallery, query, branch, top_k) for query in queries]
    if as_json:
        shell.say_json(found)
        return
    for each in found:
        if len(found) > 1:
            shell.say(each["query"])
        shell.out.print(_table(each["found"]))


def _tell_missing(shell: Shell, predictor: Predictor, queries: Sequence[str]) -> None:
    """Tell of queries that look like files and are searched for as what is typed."""
    from multigraft.runtime.folder_gallery import branch_of, is_missing_file

    for query in queries:
        if is_missing_file(predictor, query):
            typed = branch_of(predictor, query)
            shell.warn(
                f"{query}: there is no such file, so it is taken for {typed}; correct the path, or "
                f"say --branch {typed}"
            )


def _found(
    predictor: Predictor, gallery: Gallery, query: str, branch: str | None, top_k: int
) -> dict[str, Any]:
    from multigraft.runtime.folder_gallery import branch_of

    named = branch or branch_of(predictor, query)
    value = query if named is None else {named: query}
    return {"query": query, "found": predictor.rank(value, gallery, top_k=top_k)}


def _gallery(
    shell: Shell, predictor: Predictor, where: Path, index: Path | None, branch: str | None
) -> Gallery:
    """What is searched: an index as it is, or a folder's, brought up to date and kept."""
    from multigraft.runtime import Gallery
    from multigraft.runtime.folder_gallery import folder_gallery

    if not where.is_dir():
        if index is not None:
            raise typer.BadParameter(f"--index keeps the embeddings of a folder; {where} is none")
        return Gallery.open(where)
    place = _Kept(shell, index, _key(predictor, where, branch))
    known = place.read()
    made = folder_gallery(predictor, where, branch=branch, known=known)
    for name, why in made.errors.items():
        shell.warn(f"{name}: {why}", style="red")
    if known is None or known.stamps != made.gallery.stamps or known.ids != made.gallery.ids:
        shell.tell(f"embedded {made.embedded} of {len(made.gallery)} files")
        place.write(made.gallery)
    return made.gallery


@dataclass(frozen=True)
class _Kept:
    """Where a folder's index stands from one search to the next: in a file, or in the cache."""

    shell: Shell
    file: Path | None
    key: str

    def read(self) -> Gallery | None:
        """The index of an earlier search. Raises BundleError for a file that is none."""
        from multigraft.runtime import Gallery
        from multigraft.system.cache import drop_entry, find_entry

        if self.file is not None:
            return Gallery.open(self.file) if self.file.exists() else None
        entry = find_entry(KIND, self.key)
        if entry is None:
            return None
        try:
            return Gallery.open(entry / FILE)
        except BundleError as error:
            self.shell.tell(f"{error}; it is made anew")
            drop_entry(entry)
            return None

    def write(self, gallery: Gallery) -> None:
        """Take the place of the index before."""
        from multigraft.system.cache import cache_folder, drop_entry, new_entry, room_for

        if self.file is not None:
            gallery.save(self.file)
        elif not room_for(gallery.embeddings.nbytes):
            self.shell.tell("the cache has no room for the index; --index FILE keeps it elsewhere")
        else:
            drop_entry(cache_folder() / KIND / self.key)
            with new_entry(KIND, self.key) as entry:
                gallery.save(entry / FILE)


def _key(predictor: Predictor, where: Path, branch: str | None) -> str:
    """What tells the index of one folder by one bundle from all others in the cache."""
    from multigraft.runtime.gallery import fingerprint

    told = "\0".join([fingerprint(predictor), str(where.resolve()), branch or ""])
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _table(found: Sequence[Any]) -> Table:
    from rich import box
    from rich.table import Table

    from multigraft.evaluation.report.table import words

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("score")
    shown.add_column("file", overflow="fold")
    for each in found:
        shown.add_row(f"{each['score']:.4f}", words(each["id"]))
    return shown
