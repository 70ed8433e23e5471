"""The tested set is pinned whole, and no version with a known hole that concerns us is let in.

`make audit` asks an online service for what became known since; this is what holds without a
network.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAFE_FROM = {
    "torch": (2, 6),  # CVE-2025-32434: torch.load(weights_only=True) ran code
    "pillow": (11, 3),  # CVE-2025-48379: heap overflow
    "pyyaml": (5, 4),  # CVE-2020-14343: code from a document
    "jinja2": (3, 1, 6),  # CVE-2025-27516: way out of the sandbox
    "pyarrow": (14, 0, 1),  # CVE-2023-47248: code from a file
    "onnx": (1, 17),  # CVE-2024-5187: a path out of the folder
    "protobuf": (6, 31, 1),  # CVE-2025-4565: endless recursion
    "transformers": (
        4,
        53,
    ),  # CVE-2024-11392 and others: code from a weights file; CVE-2025-3933: slow patterns
    "numpy": (1, 22),  # CVE-2021-41496: buffer overflow
    "scikit-learn": (1, 5),  # CVE-2024-5206: data kept in a model
}
"""The first version without the hole."""


def pins() -> dict[str, str]:
    """Package -> version, of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().split()
    found = [re.fullmatch(r"([\w.-]+)==([\w.+]+)", line) for line in lines]
    assert all(found), "every line is a name and one version"
    return {each[1].lower().replace("_", "-"): each[2] for each in found if each}


def floors() -> dict[str, str]:
    """Package -> the lowest version that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    found = [re.match(r"([\w.-]+)>=([\d.]+)", line) for group in groups for line in group]
    return {each[1].lower(): each[2] for each in found if each}


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


@pytest.mark.parametrize("package", SAFE_FROM)
def test_a_version_with_a_known_hole_is_not_let_in(package: str) -> None:
    found = [each[package] for each in (pins(), floors()) if package in each]
    assert found, "neither pinned nor asked for"
    for version in found:
        assert numbers(version) >= SAFE_FROM[package], f"{package} {version}"


def test_all_that_is_asked_for_is_pinned() -> None:
    assert floors().keys() <= pins().keys()
