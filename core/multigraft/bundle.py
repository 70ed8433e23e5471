"""The bundle: the folder a deployer gets, its manifest, and the checks before anything in it is used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from multigraft.__about__ import __version__
from multigraft.errors import BundleError
from multigraft.files import check_plain, is_plain_name
from multigraft.owners import Owner
from multigraft.problems import problem_lines
from multigraft.records import Spec

FORMAT = 1
MANIFEST = "bundle.json"
MANIFEST_BYTES = 2**26
"""The most bytes of a manifest; one with 100,000 labels takes 2 MB."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Port(_Part):
    """An input or output of the graph."""

    name: str
    dtype: str
    """As numpy names it."""
    shape: tuple[int | str, ...]
    """Sizes, or the names of the axes that vary: ``batch``, ``length``."""


class FileEntry(_Part):
    """A file of the bundle."""

    sha256: str
    size: int
    """In bytes."""


class Precision(_Part):
    """One graph, what it was measured at on held-out rows, and whether it may be used."""

    accepted: bool
    file: str | None
    """None where it was refused, and so is not in the bundle."""
    reason: str
    """Why it was accepted or refused, with the numbers."""
    metric: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int = 0
    """How many held-out rows it was measured on."""
    changed: int | None = None
    """How many of them are answered otherwise than in fp32; None where answers are only numbers."""
    parity: float | None = None
    """Largest difference of an output, of fp32 to torch and of the others to fp32: absolute where outputs
    are below 1, else as a share of the largest."""
    size: int = 0
    """In bytes."""
    lost: float | None = None
    """Points lost against fp32 on the same rows, as `export.budget` counts them."""
    lost_low: float | None = None
    lost_high: float | None = None
    """The paired bootstrap interval of ``lost``."""
    floats: tuple[str, ...] = ()
    """Layers of an int8 graph that stay float, because the budget needs it."""
    milliseconds: float | None = None
    """Median time of one row, batch 1, on the machine that exported; of a token where tokens are written."""
    latency: dict[int, float] = Field(default_factory=dict)
    """Rows in a batch -> median milliseconds of that batch there."""
    batch_length: int | None = None
    """The padded length of a batch, rows times the longest row as the reader counts, that takes the least
    time for its rows there."""
    graphs: dict[str, str] = Field(default_factory=dict)
    """The files of further graphs by role (``encoder``); ``file`` is the decoder where tokens are written."""
    same_tokens: float | None = None
    """Share of held-out tokens at which fp32's most likely one is the most likely one here too."""


class CachePort(_Part):
    """A tensor that one step of a decoder gives out and the next step takes in."""

    past: str
    """The input."""
    present: str
    """The output: ``past`` with the new tokens' part at its end."""
    dtype: str
    shape: tuple[int | str, ...]
    """Of the input: ``batch`` first; ``past`` is the axis that grows, 0 before the first step."""


class Generation(_Part):
    """How the graphs of a bundle write tokens, one after another.

    The decoder's own inputs are named here; an encoder takes the reader's arrays. All ids are int64.
    """

    tokens: str
    """The input of new tokens, [batch, new]: a prompt, or the token written last."""
    mask: str | None = None
    """The input that is 1 for real tokens and 0 for padding, past ones first: [batch, past + new]."""
    positions: str | None = None
    """The input of the new tokens' places, [batch, new]; padding does not count."""
    kept: str | None = None
    """The input of which new tokens' logits are wanted, [kept]; without it they are the last one's alone."""
    logits: str
    """The output, [batch, kept, vocabulary]: scores of the token that follows."""
    cache: tuple[CachePort, ...]
    memory: tuple[str, ...] = ()
    """The inputs that stay as the encoder gives them, outputs of the same names; empty without an encoder."""
    start: tuple[int, ...] = ()
    """What the decoder begins with where there is an encoder, or where the prompt is empty."""
    stop: tuple[int, ...] = ()
    """Each of these ends a text."""
    pad: int
    vocabulary: int
    max_length: int
    """How many tokens the decoder can hold, the prompt's counted."""


class Bundle(_Part):
    """What ``bundle.json`` says."""

    format: int = FORMAT
    multigraft: str = __version__
    task: str
    modality: str
    backbone: str = ""
    owners: dict[str, Owner] = Field(default_factory=dict)
    """Who registered the ``task``, ``modality``, ``backbone``, ``strategy.0``; answers need the first two."""
    reader: Spec
    """As `readers.save_spec` gives it; `readers.load_spec` makes it whole."""
    targets: Spec = Field(default_factory=dict)
    """What `Task.decode` needs, as the labels."""
    decode: Literal["classification", "embedding", "outputs"] | None = None
    """The engine's own function that makes answers of outputs; None: the task's, from its plugin."""
    merge: Literal["mean_probabilities"] | None = None
    """The engine's own function that makes one answer of windows; None: the task's, if it has one."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    sample: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """The shapes of a row of middling length, as a batch of one."""
    precisions: dict[str, Precision]
    default: str
    """The precision that is used where none is asked for."""
    generation: Generation | None = None
    """None where a bundle answers in one step."""
    opset: int
    files: dict[str, FileEntry] = Field(default_factory=dict)
    """Every file beside ``bundle.json``; `seal` fills it."""
    versions: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(default_factory=dict)
    """How it was trained, for people."""
    notes: tuple[str, ...] = ()


def seal(bundle: Bundle, folder: Path) -> Bundle:
    """Hash every file in ``folder`` and add ``bundle.json``; for use inside `files.whole_folder`.

    Raises BundleError where `open_bundle` would.
    """
    files = {path.name: _entry(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    sealed = bundle.model_copy(update={"files": files})
    text = json.dumps(sealed.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    _check_folder(sealed, folder)
    return sealed


def open_bundle(folder: str | Path) -> Bundle:
    """Read and check a bundle. Raises BundleError for anything missing, changed, linked or unlisted."""
    folder = Path(folder)
    bundle = read_manifest(folder)
    _check_folder(bundle, folder)
    for name, entry in bundle.files.items():
        if _sha256(folder / name) != entry.sha256:
            raise BundleError(
                f"{folder / name}: its content is not what {MANIFEST} lists; copy the bundle again"
            )
    return bundle


def read_manifest(folder: Path) -> Bundle:
    """Read ``bundle.json`` alone: enough to show a bundle, not to trust it."""
    path = folder / MANIFEST
    if path.is_symlink():
        raise BundleError(f"{path}: is a link; a bundle holds plain files only")
    try:
        check_plain(path, limit=MANIFEST_BYTES)
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"{folder}: is not a bundle: it holds no {MANIFEST}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: cannot be read: {error}") from error
    _check_format(raw, path)
    try:
        return Bundle.model_validate(raw)
    except ValidationError as error:
        problems = [f"  {line}" for line in problem_lines(error, Bundle)]
        raise BundleError("\n".join([f"{path}: is not a valid manifest", *problems])) from error


def _check_format(raw: Any, path: Path) -> None:
    found = raw.get("format") if isinstance(raw, dict) else None
    if found != FORMAT:
        raise BundleError(
            f"{path}: has format {found!r}; multigraft {__version__} reads format {FORMAT}; "
            "export it again, or install the multigraft that wrote it"
        )


def _check_folder(bundle: Bundle, folder: Path) -> None:
    """Names, links, sizes and completeness: all that can be told without reading the files."""
    graphs = [name for p in bundle.precisions.values() for name in p.graphs.values()]
    for name in [*bundle.files, *graphs, *(p.file for p in bundle.precisions.values() if p.file is not None)]:
        if not _is_plain(name):
            raise BundleError(f"{folder / MANIFEST}: file name {name!r} leaves the folder")
    found = {path.name: path for path in folder.iterdir() if path.name != MANIFEST}
    for path in found.values():
        _check_plain(path)
    if unlisted := sorted(found.keys() - bundle.files.keys()):
        raise BundleError(f"{folder}: {', '.join(unlisted)}: not listed in {MANIFEST}; move it elsewhere")
    if missing := sorted(bundle.files.keys() - found.keys()):
        raise BundleError(f"{folder}: {', '.join(missing)}: listed in {MANIFEST} but missing")
    for name, entry in bundle.files.items():
        size = found[name].stat().st_size
        if size != entry.size:
            raise BundleError(f"{folder / name}: has {size} bytes, {MANIFEST} lists {entry.size}")
    _check_precisions(bundle, folder)


def _check_precisions(bundle: Bundle, folder: Path) -> None:
    for name, precision in bundle.precisions.items():
        if precision.accepted and not {precision.file, *precision.graphs.values()} <= bundle.files.keys():
            raise BundleError(f"{folder / MANIFEST}: precision {name} names no listed file")
    chosen = bundle.precisions.get(bundle.default)
    if chosen is None or not chosen.accepted:
        raise BundleError(
            f"{folder / MANIFEST}: the default precision {bundle.default!r} is not in the bundle"
        )


def _is_plain(name: str) -> bool:
    return name != MANIFEST and is_plain_name(name)


def _check_plain(path: Path) -> None:
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"{path}: is no plain file; a bundle holds no links and no folders")
    if path.stat().st_nlink > 1:  # a hard link: its content can be changed, or shown, from elsewhere
        raise BundleError(f"{path}: is a hard link; copy the bundle's files instead of linking them")


def _entry(path: Path) -> FileEntry:
    return FileEntry(sha256=_sha256(path), size=path.stat().st_size)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
