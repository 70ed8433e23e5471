"""HTML page of a prepared corpus: what each step dropped and mended, with examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multigraft.contracts.previews import Preview
from multigraft.evaluation.report.examples import Line, Previews
from multigraft.evaluation.report.page import templates
from multigraft.system.about import __version__
from multigraft.system.files import write_text

READING = "reading"
REASONS = 8
"""Reasons that are told of a step; rarer ones are summed up."""


@dataclass(frozen=True)
class StepLine:
    """A step as the page shows it."""

    name: str
    number: int
    options: str
    seen: int
    dropped: int
    mended: int
    share: str
    bar: float
    """The share of all rows that are left behind it, in percent."""
    reasons: Sequence[tuple[str, int]]
    dropped_rows: Sequence[Line]
    mended_rows: Sequence[Line]

    @property
    def anchor(self) -> str:
        """The name of its section; empty where there is none."""
        return f"step-{self.number}" if self.reasons or self.mended_rows else ""


def write_prepared_page(
    manifest: Mapping[str, Any],
    examples: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]],
    path: Path,
    *,
    title: str,
    previews: Mapping[str, Callable[[Any], Preview] | None],
) -> None:
    """Write the page, whole or not at all; ``previews`` make those of each step's values, by the
    names under which their examples stand. Raises OSError."""
    shown = Previews(previews)
    template = templates().get_template("prepared.html.j2")
    text = template.render(
        title=title,
        version=__version__,
        facts=facts_of(manifest),
        lines=list(lines_of(manifest, examples, shown)),
        unread=_most_frequent(manifest["unread"]),
        refused=shown.lines(READING, "dropped", examples[READING].get("dropped", ())),
        kept=shown.lines(READING, "kept", examples[READING].get("kept", ())),
        notes=manifest["notes"],
        shards=manifest["shards"],
    )
    write_text(path, text)


def facts_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What the page says at its top."""
    kept = sum(manifest["rows"].values())
    read = manifest["rows_read"]
    splits = {split: f"{rows:,} rows" for split, rows in manifest["rows"].items()}
    return {
        "rows read": f"{read:,}",
        "rows kept": f"{kept:,} ({kept / max(1, read):.1%})",
        **(splits if len(splits) > 1 else {}),
        "shards": _files(manifest["shards"]),
        "files read": _files(manifest["source"]),
    }


def lines_of(
    manifest: Mapping[str, Any],
    examples: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]],
    shown: Previews,
) -> Iterator[StepLine]:
    """Each step with its counts; shares are of the rows that it saw."""
    for number, step in enumerate(manifest["steps"]):
        dropped = sum(step["dropped"].values())
        told = {name: value for name, value in step["options"].items() if value is not None}
        named = f"{number} {step['name']}"
        found = examples[named]
        yield StepLine(
            name=step["name"],
            number=number,
            options=", ".join(f"{name}: {value}" for name, value in told.items()),
            seen=step["seen"],
            dropped=dropped,
            mended=step["mended"],
            share=f"{dropped / max(1, step['seen']):.2%}",
            bar=100 * step["kept"] / max(1, manifest["rows_read"]),
            reasons=_most_frequent(step["dropped"]),
            dropped_rows=shown.lines(named, "dropped", found.get("dropped", ())),
            mended_rows=shown.lines(named, "mended", found.get("mended", ())),
        )


def _files(files: Sequence[Mapping[str, Any]]) -> str:
    """How many files, and their size."""
    size = sum(each["bytes"] for each in files)
    written = f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
    return f"{len(files):,} ({written})"


def _most_frequent(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    ordered = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    rest = sum(count for _, count in ordered[REASONS:])
    return [*ordered[:REASONS], *([("other reasons", rest)] if rest else [])]
