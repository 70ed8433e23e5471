"""Static site: a bundle, the reader in JavaScript, onnxruntime-web, and a page that shows them."""

from __future__ import annotations

import json
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from multigraft.contracts.answers import Named
from multigraft.contracts.records import Modality
from multigraft.contracts.web import NpmPackage, WebReader
from multigraft.errors import BundleError
from multigraft.plugins.catalog import Catalog
from multigraft.runtime.bundle import Bundle, open_bundle
from multigraft.runtime.describing import bundle_name, describe, shown
from multigraft.runtime.lookup import choose, look_up
from multigraft.runtime.web.packages import fetch_package, unpack
from multigraft.system.files import whole_folder

FORMAT = 2
FACTS = "site.json"
SHOWN = ("labels", "thresholds", "names", "quantiles", "vocabulary", "blank")
"""What a page needs of the targets."""
ENGINE = NpmPackage(
    name="onnxruntime-web",
    version="1.30.0",
    integrity="sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    files={
        "dist/ort.wasm.bundle.min.mjs": "ort.js",
        "dist/ort-wasm-simd-threaded.wasm": "ort.wasm",
    },
)
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' "
    "blob: data:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
"""Content security policy: the page asks its own host for files, and nobody else for anything."""
KNOWN: tuple[Named, ...] = (
    *("classification", "detection", "embedding", "multilabel", "outputs", "regression"),
    *("segmentation", "transcription"),
)
"""The answers that ``answers.js`` makes too."""
_PLACES = (
    "its answers are places in the text, and the tokenizer for JavaScript does not tell which "
    "characters a token is of"
)
REASONS: dict[str | None, str] = {
    "tagging": _PLACES,
    "extraction": _PLACES,
}
"""Why others are refused."""
UNASKED = ("png", "beams", "hot_words")
"""What may be asked of answers in Python alone."""
HEAD = '<meta charset="utf-8">'


def write_site(
    bundle: Path,
    target: Path,
    *,
    precision: str | None = None,
    packages: Path | None = None,
    fetch: bool = True,
    catalog: Catalog | None = None,
) -> Path:
    """Write a folder that answers as the bundle does, in a browser; replaces an older one whole.

    ``packages`` is a folder with the archives of the npm packages; unset, npm is asked for what the
    machine's cache does not hold, unless ``fetch`` is false. Raises BundleError for a bundle that a
    page cannot answer with, MissingDependency for a package.
    """
    _check_target(target)
    opened = open_bundle(bundle)
    name, graph = choose(opened, precision)
    modality, answers = look_up(opened, catalog if catalog is not None else Catalog())
    named, reader = _named(opened), _reader(modality)
    _check_kind(reader, opened)
    with whole_folder(target) as folder:
        _copy_page(folder)
        _copy_resource(reader.folder, folder / "reader")
        for package in (ENGINE, *reader.packages):
            unpack(package, folder / "vendor" / package.name, folder=packages, fetch=fetch)
        graphs = [file for file in (graph, f"{graph}.data") if file in opened.files]
        held = [*graphs, *(key for key in opened.reader if key.endswith(".json"))]
        (folder / "bundle").mkdir()
        for file in held:
            shutil.copyfile(bundle / file, folder / "bundle" / file)
        facts = {
            "format": FORMAT,
            "model": describe(opened, modality, name=bundle_name(bundle), precision=name),
            "reader": opened.reader,
            "targets": {key: value for key, value in opened.targets.items() if key in SHOWN},
            "answers": named,
            "asks": shown({key: ask for key, ask in answers.asks.items() if key not in UNASKED}),
            "graph": graphs,
            "files": {file: opened.files[file].model_dump() for file in held},
        }
        _write_json(folder / FACTS, facts)
        _write_json(folder / "package.json", {"private": True, "type": "module"})  # for Node
    return target


def fetch_packages(modality: Modality) -> None:
    """Have npm fetch what pages of a modality need and the machine's cache does not hold."""
    for package in (ENGINE, *_reader(modality).packages):
        fetch_package(package)


def _check_target(target: Path) -> None:
    """Raise BundleError where the folder holds something else than a page of ours."""
    if (
        target.exists()
        and not (target / FACTS).is_file()
        and (not target.is_dir() or any(target.iterdir()))
    ):
        raise BundleError(
            f"{target}: holds something else than a page; name a new or an empty folder"
        )


def _named(bundle: Bundle) -> str:
    """The function of ``answers.js`` that does the same."""
    if bundle.generation is not None:
        why = "it writes texts token by token, and the page computes one graph once"
    elif bundle.named not in KNOWN:
        why = REASONS.get(bundle.named, "its answers are made by its own code in Python")
    else:
        return bundle.named
    raise BundleError(
        f"a page without a server cannot answer as task {bundle.task!r} does: {why}; multigraft "
        "serve gives a page that can"
    )


def _reader(modality: Modality) -> WebReader:
    if modality.web is None:
        raise BundleError(
            f"modality {modality.name!r} has no reader for browsers (Modality.web): use multigraft "
            "serve"
        )
    return modality.web


def _check_kind(reader: WebReader, bundle: Bundle) -> None:
    """Raise BundleError where the modality's modules read values otherwise than the bundle."""
    kind = bundle.reader.get("kind")
    if reader.kinds and kind not in reader.kinds:
        raise BundleError(
            f"backbone {bundle.backbone!r} reads its values as {kind!r}, which a browser does not "
            "yet: use multigraft serve"
        )


def _copy_page(folder: Path) -> None:
    for source in ("multigraft.runtime:page", "multigraft.runtime.web:page"):
        _copy_resource(source, folder / "page")
    start = folder / "index.html"
    (folder / "page" / "index.html").rename(start)
    meta = f'{HEAD}\n  <meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    start.write_text(start.read_text(encoding="utf-8").replace(HEAD, meta), encoding="utf-8")


def _copy_resource(source: str, target: Path) -> None:
    package, _, name = source.partition(":")
    with as_file(files(package) / name) as folder:
        shutil.copytree(folder, target, dirs_exist_ok=True)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(
        json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
