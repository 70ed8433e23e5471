"""Scaffolding: a new plugin from the template's files, with their names exchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from multigraft.errors import PluginError, did_you_mean
from multigraft.plugins.catalog import Catalog
from multigraft.plugins.discovery import installed
from multigraft.plugins.rules import KINDS as RECORDS
from multigraft.system.files import whole_folder

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 40
MODALITY = "modality"
BRINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    MODALITY: {
        "modalities": ("{}",),
        "backbones": ("{}-net",),
        "tasks": ("{}-classification", "{}-denoising"),
    },
    "backbone": {"backbones": ("{}",)},
    "task": {"tasks": ("{}",)},
    "strategy": {"strategies": ("{}",)},
}
"""The kinds of plugins, and under which names each registers its records."""
SKIPPED = ("kinds", "shared", "README.md", "pyproject.toml")
"""What of the template's own folder is no part of the kind ``modality``."""


def new_plugin(name: str, kind: str, *, into: Path) -> Path:
    """Write the package ``multigraft-NAME`` below ``into``; its folder.

    Raises PluginError for a kind that does not exist, a name that is none or is taken, a folder
    that exists.
    """
    if kind not in BRINGS:
        raise PluginError(f"no kind {kind!r} of plugin; {did_you_mean(kind, BRINGS)}")
    _check_name(name, kind)
    folder = into / f"multigraft-{name}"
    if folder.exists():
        raise PluginError(
            f"{folder}: exists already; name another plugin, or another folder with --into"
        )
    with whole_folder(folder) as made:
        for target, source in _files(kind):
            path = made / renamed(str(target), name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:  # a README has two parts
                file.write(renamed(source.read_text(encoding="utf-8"), name))
    return folder


def renamed(text: str, name: str) -> str:
    """A file of the template with the plugin's own names.

    >>> renamed('from multigraft_sapling.network import SaplingNet  # "sapling"', "red-oak")
    'from multigraft_red_oak.network import RedOakNet  # "red-oak"'
    """
    rules = {
        r"\bmultigraft_(series|sapling)\b": package_of(name),
        r"\b(Series|Sapling)(?=[A-Z])": "".join(part.capitalize() for part in name.split("-")),
        r"\btcn\b": f"{name}-net",
        r"\bsapling\b|(?<=[\"'`])series\b|\bseries(?=-[a-z])": name,
    }
    for pattern, own in rules.items():
        text = re.sub(pattern, own, text)
    return text


def package_of(name: str) -> str:
    """Import name of a plugin's package."""
    return f"multigraft_{name.replace('-', '_')}"


def template() -> Path:
    """The template: inside the installed package, or in the source tree beside it."""
    inside = Path(__file__).parents[1] / "template"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "plugins" / "template"


def _files(kind: str) -> Iterator[tuple[Path, Path]]:
    """Each file's place in the package, and where it lies; a README's first part comes first."""
    root = template()
    if kind == MODALITY:
        yield from ((path, file) for path, file in _below(root) if path.parts[0] not in SKIPPED)
    yield from _below(root / "kinds" / kind)
    for path, file in _below(root / "shared"):
        yield (path.with_name(".gitignore") if path.name == "gitignore" else path), file


def _below(folder: Path) -> Iterator[tuple[Path, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder), path


def _check_name(name: str, kind: str) -> None:
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise PluginError(
            f"{name!r} is no name for a plugin: small letters, digits and single hyphens, a letter "
            f"first, at most {LONGEST}, as 'bird-songs'"
        )
    if taken := next(_taken(name, kind), None):
        raise PluginError(f"{name!r} is taken: {taken}; choose another name")


def _taken(name: str, kind: str) -> Iterator[str]:
    """What stands in a name's way."""
    for other in installed():
        if other.name == name:
            yield f"plugin {name!r} is installed, from {other.origin}"
    catalog = Catalog()
    for records, names in BRINGS[kind].items():
        known = {
            record.name: catalog.owner(records, record.name).name
            for record in getattr(catalog, records)()
        }
        for own in (pattern.format(name) for pattern in names):
            if own in known:
                yield (
                    f"plugin {known[own]!r} registers the {RECORDS[records].__name__.lower()} "
                    f"{own!r}"
                )
    if find_spec(package_of(name)) is not None:
        yield f"the package {package_of(name)} can be imported already"
    try:
        yield f"{distribution(f'multigraft-{name}').name} is installed"
    except PackageNotFoundError:
        return
