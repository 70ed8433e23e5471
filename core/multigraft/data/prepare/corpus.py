"""Preparation of a corpus: from sources to shards with a manifest; killed, it is gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from multigraft.contracts.display import UNSEEN, Display
from multigraft.data.cache.hashes import FileHashes
from multigraft.data.prepare.judging import READ
from multigraft.data.prepare.passes import Passes
from multigraft.data.prepare.plan import Plan, Step
from multigraft.data.prepare.reading import Sources
from multigraft.data.prepare.shards import SPLITS, Written, write_shards
from multigraft.data.prepare.tally import Tally
from multigraft.data.prepare.workspace import FOLDER, Workspace
from multigraft.errors import DataError, RunError
from multigraft.system.about import __version__
from multigraft.system.cpu import usable_cores
from multigraft.system.files import expanded, write_json, write_text
from multigraft.system.lock import alone_in

MANIFEST, RECIPE, EXAMPLES = "manifest.json", "recipe.yaml", "examples.json"
PAGE = "report.html"
FORMAT = 1
FREE = ("workers", "output")
"""Fields on which what is written does not depend."""
LIBRARIES = ("pyarrow", "numpy", "pillow", "soundfile", "soxr", "ftfy", "py3langid")
"""Libraries by whose versions values may be judged, or files written, otherwise."""
READING = "reading"
LONGEST = 1024
"""Characters of an option that may name a file."""


@dataclass(frozen=True)
class Corpus:
    """A corpus that was prepared: its folder, and what the manifest says of it."""

    folder: Path
    manifest: Mapping[str, Any]
    examples: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]
    """Step -> ``dropped``, ``mended`` or ``kept`` -> examples; by the step's number and name."""


def prepare_corpus(
    plan: Plan, folder: Path, *, base: Path | None = None, display: Display = UNSEEN
) -> Corpus:
    """Take a corpus through the steps of a plan and write it, or go on where that was ended.

    Raises RunError where the folder holds another corpus or files that would be written over, or
    another process is at work in it.
    """
    sources = Sources(plan.recipe, plan.modality, plan.catalog.formats(), base)
    _refuse_within(folder, sources)
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder), display:
        begun = _begun(plan, sources)
        work = Workspace(folder / FOLDER)
        if (folder / MANIFEST).is_file():
            _refuse_other(folder, begun)
            work.discard()
            return open_corpus(folder)
        if not work.holds_rows():
            _refuse_occupied(folder)
        work.begin(begun)
        workers = usable_cores() if plan.recipe.workers == "auto" else plan.recipe.workers
        passes = Passes(plan, work, sources, workers, display)
        blocks = passes.run()
        display.begin("writing shards")
        written = _shards(plan, work, blocks, folder)
        _write(plan, work, begun, written, folder)
        work.discard()
    return open_corpus(folder)


def _shards(plan: Plan, work: Workspace, blocks: int, folder: Path) -> Written:
    """Write the shards; where no row is left for them, nothing is left to go on with either."""
    try:
        return write_shards(plan, work, blocks, folder)
    except DataError:
        work.discard()
        raise


def open_corpus(folder: Path) -> Corpus:
    """A corpus that was prepared before. Raises RunError where there is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        examples = json.loads((folder / EXAMPLES).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder}: holds no corpus that was prepared: {error}") from error
    if not isinstance(manifest, dict) or not {"recipe", "steps", "shards"} <= manifest.keys():
        raise RunError(f"{folder / MANIFEST}: is of something else than a prepared corpus")
    return Corpus(folder, manifest, examples)


def _begun(plan: Plan, sources: Sources) -> dict[str, Any]:
    """What the output depends on: the recipe, the files and the versions of libraries."""
    told = plan.recipe.model_dump(mode="json", exclude=set(FREE))
    with FileHashes() as hashes:
        files = [_file_facts(path, hashes) for path in sources.files()]
        named = [_file_facts(path, hashes) for path in _named_files(plan)]
    return {"recipe": told, "source": files, "named": named, "versions": _versions()}


def _file_facts(path: Path, hashes: FileHashes) -> dict[str, Any]:
    return {"name": str(path), "bytes": path.stat().st_size, "sha256": hashes.digest(str(path))}


def _named_files(plan: Plan) -> list[Path]:
    """Files that options of steps name, as lists of words and test sets."""
    values = [value for step in plan.steps for value in step.options.values()]
    texts = [v for each in values for v in (each if isinstance(each, list) else [each])]
    paths = [expanded(text) for text in texts if isinstance(text, str) and len(text) < LONGEST]
    return [path for path in paths if path.is_file()]


def _versions() -> dict[str, str]:
    found = {"multigraft": __version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _refuse_within(folder: Path, sources: Sources) -> None:
    """Raise RunError where a folder is read into which the output would be written."""
    for source in sources.folders():
        if folder.resolve().is_relative_to(source.resolve()):
            raise RunError(
                f"{folder}: lies in the source {source}, and would be read with it; name another "
                "output, or a pattern as source"
            )


def _refuse_occupied(folder: Path) -> None:
    """Raise RunError where what is not ours would be taken for ours, or written over."""
    names = (*SPLITS, RECIPE, EXAMPLES, PAGE)
    if there := [name for name in names if (folder / name).exists()]:
        raise RunError(
            f"{folder}: holds {', '.join(there)} already, which no preparation that can be gone on "
            "with has written; name another output, or remove what is there"
        )


def _refuse_other(folder: Path, begun: Mapping[str, Any]) -> None:
    """Raise RunError where the folder holds what another recipe, or other files, became."""
    manifest = open_corpus(folder).manifest
    if other := [name for name in begun if manifest.get(name) != begun[name]]:
        raise RunError(
            f"{folder}: holds a corpus of another {' and another '.join(other)}; name another "
            "output, or remove the folder"
        )
    for shard in manifest["shards"]:
        path = folder / shard["file"]
        if not path.is_file() or path.stat().st_size != shard["bytes"]:
            raise RunError(
                f"{path}: is not as it was written; remove {folder}, and prepare it again"
            )


def _write(
    plan: Plan, work: Workspace, begun: Mapping[str, Any], written: Written, folder: Path
) -> None:
    """Write what is beside the shards; the manifest last, which says that all is there."""
    noted = [work.finished(each.number) or {} for each in plan.passes]
    tallies = {
        int(number): Tally.of(facts) for each in noted for number, facts in each["tallies"].items()
    }
    read = tallies[READ]
    examples = {
        f"{step.number} {step.name}": tallies[step.number].facts()["examples"]
        for step in plan.steps
    }
    examples[READING] = read.facts()["examples"] | {"kept": [e.facts() for e in written.examples]}
    write_json(folder / EXAMPLES, examples)
    write_text(folder / RECIPE, plan.recipe.to_yaml())
    write_json(
        folder / MANIFEST,
        {
            "format": FORMAT,
            **begun,
            "rows_read": read.seen,
            "unread": dict(sorted(read.dropped.items())),
            "steps": [_step_facts(step, tallies[step.number]) for step in plan.steps],
            "rows": written.rows,
            "shards": written.shards,
            "notes": [*plan.notes(), *noted[0]["notes"], *written.notes],
        },
    )


def _step_facts(step: Step, tally: Tally) -> dict[str, Any]:
    facts = tally.facts()
    del facts["examples"]
    return {
        "name": step.name,
        "options": dict(step.options),
        "column": step.column,
        **facts,
        "kept": tally.seen - tally.dropped.total(),
    }
