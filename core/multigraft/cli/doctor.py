"""``doctor``: what is installed, what the machine can do, and what is missing for what. Needs no torch."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multigraft.__about__ import __version__
from multigraft.cli.plugins import installed
from multigraft.cli.shell import AsJson, Shell

if TYPE_CHECKING:
    from rich.table import Table

PACKAGE = "multigraft"
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HOME")
TOOLS = frozenset({"dev", "docs"})
"""Extras for people who work on this package itself."""
FORMATS = {
    "bf16": {"avx512_bf16", "amx_bf16"},
    "int8 (VNNI)": {"avx512_vnni", "avx_vnni"},
    "matrix tiles (AMX)": {"amx_tile"},
}
"""Number formats -> the instruction sets of which one is enough."""


@dataclass(frozen=True)
class Library:
    """A library this package can use."""

    name: str
    wanted: str
    """The versions it was written for, as ``>=2.9``."""
    extra: str | None
    """The extra that brings it; None: the base install does."""
    found: str | None
    """The version installed; None: it is missing."""
    fits: bool

    @property
    def advice(self) -> str:
        """What to do about it; empty where nothing is."""
        if self.found is not None and self.fits:
            return ""
        bracket = f"[{self.extra}]" if self.extra else ""
        return f'pip install "{PACKAGE}{bracket}"'


def doctor(shell: Shell, as_json: AsJson = False) -> None:
    """Say what is installed, what the machine can do, and what is missing for what."""
    found = libraries()
    off = {info.name: info.error for info in installed() if info.error is not None}
    machine = look_at_machine()
    if as_json:
        listed = [{**asdict(library), "advice": library.advice} for library in found]
        shell.say_json(
            {"multigraft": __version__, "machine": machine, "libraries": listed, "plugins_off": off}
        )
        return
    shell.out.print(_machine_table({"multigraft": __version__, **machine}))
    shell.out.print(_library_table(found))
    for name, error in off.items():
        shell.out.print(f"plugin {name!r} is off: {error}", markup=False, highlight=False, style="red")


def look_at_machine() -> dict[str, Any]:
    """Python, processor, memory, disk, devices and the hub's switches."""
    return {
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(),
        "cores": _cores(),
        "memory_gb": _memory_gb(),
        "disk_free_gb": round(shutil.disk_usage(Path.cwd()).free / 1e9, 1),
        "native": native_formats(cpu_flags()),
        "devices": devices(),
        "hub": {name: os.environ[name] for name in OFFLINE if name in os.environ},
    }


def libraries() -> list[Library]:
    """Every library this package names in its metadata, with the smallest extra that brings it."""
    lines = [parse_requirement(line) for line in requires(PACKAGE) or ()]
    sizes = Counter(extra for _, _, extra in lines if extra is not None)
    smallest_first = sorted(lines, key=lambda line: sizes[line[2]] if line[2] is not None else 0)
    found: dict[str, Library] = {}
    for name, wanted, extra in smallest_first:
        if name != PACKAGE and extra not in TOOLS and name not in found:
            installed_as = _version(name)
            fits = installed_as is None or satisfies(installed_as, wanted)
            found[name] = Library(name, wanted, extra, installed_as, fits)
    return list(found.values())


def parse_requirement(line: str) -> tuple[str, str, str | None]:
    """The name, the versions and the extra in a line of metadata.

    >>> parse_requirement('torch>=2.9; extra == "train"')
    ('torch', '>=2.9', 'train')
    >>> parse_requirement("numpy (>=2.0)")
    ('numpy', '>=2.0', None)
    """
    head, _, marker = line.partition(";")
    extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
    name = re.match(r"[A-Za-z0-9._-]+", head.strip())
    if name is None:
        raise ValueError(f"{line!r} names no library")
    wanted = re.sub(r"\[[^]]*\]|[()\s]", "", head.strip()[name.end() :])
    return name.group().lower(), wanted, extra.group(1) if extra else None


def satisfies(found: str, wanted: str) -> bool:
    """Whether a version meets bounds written with ``>=`` and ``<``.

    >>> satisfies("2.14.1+cpu", ">=2.9,<3"), satisfies("4.57", ">=5,<6")
    (True, False)
    """
    for bound in filter(None, wanted.split(",")):
        relation, number = re.match(r"([<>=!~]*)(.*)", bound).groups()  # type: ignore[union-attr]
        if (relation == ">=" and _numbers(found) < _numbers(number)) or (
            relation == "<" and _numbers(found) >= _numbers(number)
        ):
            return False
    return True


def cpu_flags() -> set[str]:
    """The processor's instruction sets as Linux names them; empty where it does not say."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    return set(line.partition(":")[2].split())


def native_formats(flags: set[str]) -> dict[str, bool | None]:
    """Which number formats the processor computes natively; None where it does not say."""
    return {name: bool(enough & flags) if flags else None for name, enough in FORMATS.items()}


def devices() -> list[str]:
    """What torch would compute on; the processor alone where torch is missing."""
    if find_spec("torch") is None:
        return ["cpu"]
    import torch

    found = [
        f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def _numbers(text: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in leading.group().split(".")) if leading else ()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gb() -> float | None:
    """Installed memory; None where the system does not say."""
    if sys.platform == "win32" or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)


def _machine_table(facts: Mapping[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style="bold")
    shown.add_column(overflow="fold")
    for name, value in facts.items():
        shown.add_row(name.replace("_", " "), Text(_words(value)))
    return shown


def _words(value: Any) -> str:
    words: dict[Any, str] = {True: "yes", False: "no", None: "unknown"}
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_words(inner)}" for name, inner in value.items()) or "nothing set"
    if isinstance(value, list):
        return ", ".join(value)
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _library_table(found: list[Library]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("library", "found", "wanted", "brought by", ""):
        shown.add_column(heading)
    for library in found:
        style = "" if not library.advice else "yellow" if library.extra else "red"
        shown.add_row(
            library.name,
            Text(library.found or "missing", style),
            library.wanted,
            library.extra or "base",
            library.advice,
        )
    return shown
