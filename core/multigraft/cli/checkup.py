"""Environment checks: what is installed and usable, without importing what is not needed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from multigraft.system.cpu import cpu_flags, usable_cores
from multigraft.system.libraries import OFFLINE
from multigraft.system.versions import installed_versions

PACKAGE = "multigraft"
TOOLS = frozenset({"dev", "docs"})
"""Extras for people who work on this package itself."""
TRAIN = "train"
"""The extra of what every modality needs to train; that of tables brings no more."""
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
        """Say what to do about it; empty where nothing is."""
        if self.found is not None and self.fits:
            return ""
        bracket = f"[{self.extra}]" if self.extra else ""
        return f'pip install "{PACKAGE}{bracket}"'


def look_at_machine() -> dict[str, Any]:
    """Look at Python, processor, memory, disk, devices and the hub's switches."""
    return {
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(),
        "cores": usable_cores(),
        "memory_gb": _memory_gb(),
        "disk_free_gb": round(shutil.disk_usage(Path.cwd()).free / 1e9, 1),
        "native": native_formats(cpu_flags()),
        "devices": devices(),
        "hub": {name: os.environ[name] for name in (*OFFLINE, "HF_HOME") if name in os.environ},
    }


def libraries() -> list[Library]:
    """List the libraries in this package's metadata, with the smallest extra that brings each."""
    lines = [parse_requirement(line) for line in requires(PACKAGE) or ()]
    sizes = Counter(extra for _, _, extra in lines if extra is not None)
    smallest_first = sorted(lines, key=lambda line: (sizes.get(line[2] or "", 0), line[2] != TRAIN))
    found: dict[str, Library] = {}
    for name, wanted, extra in smallest_first:
        if name != PACKAGE and extra not in TOOLS and name not in found:
            installed_as = installed_versions([name]).get(name)
            fits = installed_as is None or satisfies(installed_as, wanted)
            found[name] = Library(name, wanted, extra, installed_as, fits)
    return list(found.values())


def parse_requirement(line: str) -> tuple[str, str, str | None]:
    """Parse the name, the versions and the extra in a line of metadata.

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
    """Tell whether a version meets bounds written with ``>=`` and ``<``.

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


def native_formats(flags: set[str]) -> dict[str, bool | None]:
    """Find the number formats the processor computes natively; None where it does not say."""
    return {name: bool(enough & flags) if flags else None for name, enough in FORMATS.items()}


def devices() -> list[str]:
    """List what torch would compute on; the processor alone where torch is missing."""
    if find_spec("torch") is None:
        return ["cpu"]
    import torch

    found = [
        f"cuda:{index} {torch.cuda.get_device_name(index)}"
        for index in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def _numbers(text: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in leading.group().split(".")) if leading else ()


def _memory_gb() -> float | None:
    """Installed memory; None where the system does not say."""
    if sys.platform == "win32" or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
