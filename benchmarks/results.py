"""Figures kept by machine and case as JSON, and shown as a table between two markers of the
README."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FOLDER, README = HERE / "results", HERE / "README.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
HEADING = (
    "case",
    "work",
    "other",
    "ours",
    "other's",
    "ratio (min to max)",
    "bar",
    "equal quality",
    "notes",
)


def merge(
    path: Path, machine: Mapping[str, Any], cases: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Put the cases into the file, each in the place of its earlier figures of the same mode; what
    it holds.

    Full and quick figures of a case stand beside each other.
    """
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"cases": {}}
    kept = {name: dict(modes) for name, modes in old["cases"].items()}
    for name, found in cases.items():
        kept.setdefault(name, {})[found["mode"]] = found
    content = {"machine": dict(machine), "cases": kept}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return content


def table(content: Mapping[str, Any], modules: Sequence[str]) -> str:
    """A machine's figures as Markdown, in the order of the modules that measured them; of each case
    the full ones where there are any."""
    machine = content["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads; matrix "
        f"product {machine['fp32_gflops']:g} GFLOPS in fp32, {machine['bf16_gflops']:g} in bf16.",
        "",
        _row(HEADING),
        _row(["---"] * len(HEADING)),
    ]
    shown = {name: modes.get("full") or modes["quick"] for name, modes in content["cases"].items()}
    for name in sorted(shown, key=lambda name: _place(shown[name], modules)):
        lines.append(_row(_cells(name, shown[name])))
    return "\n".join(lines)


def _place(found: Mapping[str, Any], modules: Sequence[str]) -> int:
    """Of a case's module; behind all where there is none of that name any more."""
    module = found.get("module")
    return modules.index(module) if module in modules else len(modules)


def rewrite(readme: Path, tables: Mapping[str, str]) -> None:
    """Put each machine's table between the markers. Raises ValueError where a marker is missing."""
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme}: needs the lines {BEGIN} and {END}")
    inside = "\n\n".join(f"### {name}\n\n{table}" for name, table in tables.items())
    readme.write_text(f"{before}{BEGIN}\n\n{inside}\n\n{END}{after}", encoding="utf-8")


def rewrite_all(folder: Path, readme: Path, modules: Sequence[str]) -> None:
    """The tables of every machine whose results lie in the folder."""
    contents = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }
    rewrite(readme, {name: table(content, modules) for name, content in contents.items()})


def line(name: str, found: Mapping[str, Any]) -> str:
    """A case's figures in one line for the screen."""
    _, work, other, ours, theirs, ratio, bar, quality, notes = _cells(name, found)
    parts = [
        f"{name}: {ratio}",
        f"ours {ours}, {other} {theirs}",
        work,
        f"bar {bar}",
        quality,
        notes,
    ]
    return "; ".join(part for part in parts if part)


def _cells(name: str, found: Mapping[str, Any]) -> list[str]:
    ratio = found["ratio"]
    mode = "" if found["mode"] == "full" else f" ({found['mode']})"
    verdict = {True: ": met", False: ": **missed**", None: ""}[found["met"]]
    if found.get("void"):
        verdict = f": **void**, {found['void']}"
    return [
        f"{name}{mode}",
        found["work"],
        found["other"],
        f"{_number(found['ours']['median'])} {found['unit']}",
        f"{_number(found['theirs']['median'])} {found['unit']}",
        f"{ratio['value']:.3g}x ({ratio['min']:.3g} to {ratio['max']:.3g})",
        f"{found['bar'] or 'none'}{verdict}",
        _quality(found),
        _notes(found),
    ]


def _quality(found: Mapping[str, Any]) -> str:
    if "quality" not in found:
        return ""
    sides = ", ".join(
        f"{name} {_share(found['quality'][side])}"
        for side, name in (("ours", "ours"), ("theirs", "other"))
    )
    apart = found["quality"].get("difference")
    if apart is None or apart["low"] is None:
        return sides
    return (
        f"{sides}, apart {100 * apart['mean']:+.1f} [{100 * apart['low']:+.1f}, "
        f"{100 * apart['high']:+.1f}]"
    )


def _share(value: Mapping[str, Any]) -> str:
    spread = (
        "" if value["low"] is None else f" [{100 * value['low']:.1f}, {100 * value['high']:.1f}]"
    )
    return f"{100 * value['mean']:.1f}%{spread}"


def _notes(found: Mapping[str, Any]) -> str:
    sides = (("ours", "ours"), ("theirs", "other"))
    return ", ".join(
        f"{name} {key}: {_number(value)}"
        for side, name in sides
        for key, value in found[side]["facts"].items()
    )


def _number(value: float) -> str:
    """Three digits, and whole numbers from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _row(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"
