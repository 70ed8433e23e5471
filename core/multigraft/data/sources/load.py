"""Load what a recipe's ``data:`` names, files, folder or hub, as a table with our column names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from multigraft.contracts.formats import PLAIN, Format, Layout, Parsed
from multigraft.contracts.records import Modality
from multigraft.data.cache.content import Content
from multigraft.data.sources.arrow_files import saved_set, saved_split
from multigraft.data.sources.contents import content_of, joined
from multigraft.data.sources.folders import list_folder
from multigraft.data.sources.formats import read_hub
from multigraft.data.sources.gathering import gathered, gatherers
from multigraft.data.sources.media_folders import METADATA, media_folder
from multigraft.data.sources.naming import Naming, in_recipe
from multigraft.data.sources.parsing import CORE, endings_of, parse
from multigraft.data.sources.remote import fetched, is_remote
from multigraft.data.sources.several import (
    Source,
    holds_media,
    looked_in,
    refuse_mixed,
    row_files,
    sources_in,
)
from multigraft.data.sources.table import Table, require, whole
from multigraft.data.sources.text_folders import holds_texts, is_text, text_folder
from multigraft.data.sources.unpacking import unpacked
from multigraft.errors import DataError, did_you_mean
from multigraft.system.file_endings import ending_of, is_packed
from multigraft.system.files import expanded

HUB = "hub:"
NO_LISTS: Mapping[str, Sequence[str]] = {}


def load_table(
    path: Source,
    *,
    format: str = "auto",
    modality: Modality,
    columns: Mapping[str, str],
    base: Path | None = None,
    split: str = "train",
    layout: Layout = PLAIN,
    files: tuple[str, ...] = (),
    formats: Sequence[Format] = CORE,
    raw: bool = True,
    naming: Naming = in_recipe,
    lists: Mapping[str, Sequence[str]] | None = NO_LISTS,
    apart: Collection[str] = (),
) -> Table:
    """Read ``path`` (relative to ``base``), or several as one; ``columns`` maps our names to those
    in the data.

    A path may be a pattern (``parts/*.csv``), or a folder: one with a subfolder a class, whose name
    becomes ``label``; one with a ``metadata.csv`` (``.jsonl``, ``.parquet``) whose ``file_name`` is
    relative to it; one of files of rows of one kind; one that `datasets` saved. ``split`` is that
    of a hub set or a saved one, ``layout`` says how files of text are written, ``files`` names
    further columns that hold names of files, ``formats`` are those that are known. Unless ``raw``,
    the modality's column may come later. ``lists`` names the columns of values that have several
    (see `gathered`; None: none is gathered), ``apart`` those that are read for something else.
    Raises DataError where the source, its form or its columns are not what is needed, or no row of
    it can be read.
    """
    loader = _Loader(format, modality, columns, split=split, layout=layout, formats=formats)
    contents = [each for one in sources_in(path, base) for each in loader.contents(one, base)]
    if raw:
        plain = [name for name in modality.required if name not in gatherers(modality)]
        for content in contents:
            require(whole(content), plain, naming)
    content = joined(contents, modality, files)
    if lists is not None:
        content = gathered(content, modality, lists, apart)
    table = whole(replace(content, files=files))
    if raw:
        require(table, modality.required, naming)
    if not len(table):
        raise DataError(f"{table.name}: holds no rows")
    _refuse_unreadable(table)
    return table


def _refuse_unreadable(table: Table) -> None:
    """Raise DataError where every row is known to be bad: then the fault is the source's."""
    if len(table.content.bad) < len(table):
        return
    first = f"{table.place(0)}: {table.problem(0)}"
    raise DataError(
        "\n".join([f"{table.name}: no row can be read; the first, {first}", *table.content.notes])
    )


@dataclass(frozen=True)
class _Loader:
    """Reads single sources, all in the same way."""

    format: str
    modality: Modality
    columns: Mapping[str, str]
    split: str
    layout: Layout
    formats: Sequence[Format]

    def contents(self, path: str, base: Path | None) -> list[Content]:
        """The contents of one source; of a folder or an archive of several files one each."""
        if path.startswith(HUB) or self.format == "hub":
            name = path.removeprefix(HUB)
            parsed = read_hub(name, self.split)
            return [self._named(f"{HUB}{name} {self.split}", parsed, None)]
        if is_remote(path):
            with fetched(path) as found:
                return [each for file in found for each in self._of_file(file)]
        file = (base or Path()) / expanded(path)
        try:
            if not (file.is_file() or file.is_dir()):  # a device or a pipe would be read for ever
                what = "is no plain file" if file.exists() else f"does not exist{looked_in(file)}"
                raise DataError(f"{path}: {what}{_meant(path)}")
            return self._of_folder(file) if file.is_dir() else self._of_file(file)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error

    def _of_folder(self, folder: Path) -> list[Content]:
        if self.format not in ("auto", "folder"):
            return [self._read(folder, self._kind(folder), folder.resolve().name, folder)]
        if self.format == "auto" and saved_set(folder):
            saved = saved_split(folder, self.split)
            return [self._read(saved, endings_of(CORE)[".arrow"], folder.resolve().name, folder)]
        rows = row_files(folder, endings_of(self.formats), leave=METADATA)
        if self.format == "folder" or not rows or self._rows_are_files(folder, rows):
            return [self._media(folder)]
        refuse_mixed(folder, rows)
        return [each for file in rows for each in self._of_file(file)]

    def _rows_are_files(self, folder: Path, tables: Sequence[Path]) -> bool:
        """Tell whether files in a folder are rows themselves, whatever tables lie beside them."""
        if self.modality.suffixes:
            return holds_media(folder, self.modality)
        return all(map(is_text, tables)) and holds_texts(list_folder(folder))

    def _media(self, folder: Path) -> Content:
        if not self.modality.suffixes:
            return self._texts(folder)
        core = endings_of(CORE)
        return media_folder(
            folder,
            self.modality,
            self.columns,
            lambda file: parse(file, core[file.suffix], self.layout),
        )

    def _texts(self, folder: Path) -> Content:
        listing = list_folder(folder)
        if self.modality.branches or not holds_texts(listing):
            raise DataError(
                f"{folder.name}: {self.modality.name} is not read from a folder of files; give a "
                "file of rows"
            )
        parsed = text_folder(folder, listing, self.layout)
        content = self._named(folder.resolve().name, parsed, None)
        return replace(content, paths=parsed.paths)

    def _of_file(self, file: Path) -> list[Content]:
        if self.format == "folder":
            raise DataError(f"{file.name}: is a file, but data.format is 'folder'")
        if not is_packed(file):
            return [self._read(file, self._kind(file), file.name, file.parent)]
        with unpacked(file, endings_of(self.formats)) as held:
            return [
                self._read(each, self._kind(each, of=name), name, file.parent)
                for name, each in held.items()
            ]

    def _named(self, name: str, parsed: Parsed, folder: Path | None) -> Content:
        return content_of(name, parsed, self.modality, self.columns, folder)

    def _read(self, file: Path, kind: Format, name: str, beside: Path) -> Content:
        """The content of a file; names of files in it are relative to ``beside``."""
        if file.is_dir() and not kind.folders:
            raise DataError(f"{file.name}: is a folder, but data.format is {kind.name!r}")
        parsed = parse(file, kind, self.layout)
        base = parsed.folder or beside
        content = self._named(name, parsed, base if self.modality.suffixes else None)
        return replace(content, base=base, paths=parsed.paths)

    def _kind(self, file: Path, of: str = "") -> Format:
        """The format that is asked for, or by the file's ending."""
        named = {each.name: each for each in self.formats}
        if self.format in named:
            return named[self.format]
        if self.format != "auto":
            raise DataError(
                f"data.format: no format {self.format!r}; {did_you_mean(self.format, named)}"
            )
        known, ending = endings_of(self.formats), ending_of(file)
        if not ending and of:
            packed = Path(of).suffix
            raise DataError(
                f"{of}: cannot tell the format of what is in it; name it by that, as "
                f"rows.csv{packed}, or set data.format"
            )
        if ending not in known:
            raise DataError(
                f"{file.name}: cannot tell its format by the ending {ending!r}; "
                f"{did_you_mean(ending, known)}, a folder, or set data.format"
            )
        return known[ending]


def _meant(path: str) -> str:
    """What to write where a text was given in a file's place."""
    spaced = len(path.split()) > 1 and not Path(path).suffix
    return "; texts themselves are given as {'text': [...]}" if spaced else ""
