"""HTML page of a prepared corpus: what each step dropped and mended, with examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    anchor: str
    options: str
    seen: int
    dropped: int
    mended: int
    share: str
    bar: float
    """The share of all rows that are left behind it, in percent."""
    reasons: Sequence[tuple[str, int]]
    examples: Mapping[str, Sequence[Mapping[str, Any]]]


def write_prepared_page(
    manifest: Mapping[str, Any],
    examples: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]],
    path: Path,
    *,
    title: str,
) -> None:
    """Write the page, whole or not at all. Raises OSError."""
    template = templates().get_template("prepared.html.j2")
    text = template.render(
        title=title,
        version=__version__,
        facts=facts_of(manifest),
        lines=list(lines_of(manifest, examples)),
        unread=_most_frequent(manifest["unread"]),
        read=examples[READING],
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
        "shards": f"{len(manifest['shards']):,}",
        "size": f"{sum(each['bytes'] for each in manifest['shards']) / 1e6:,.1f} MB",
        "files read": f"{len(manifest['source']):,}",
    }


def lines_of(
    manifest: Mapping[str, Any],
    examples: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]],
) -> Iterator[StepLine]:
    """Each step with its counts; shares are of the rows that it saw."""
    for number, step in enumerate(manifest["steps"]):
        dropped = sum(step["dropped"].values())
        told = {name: value for name, value in step["options"].items() if value is not None}
        yield StepLine(
            name=step["name"],
            anchor=f"step-{number}",
            options=", ".join(f"{name}: {value}" for name, value in told.items()),
            seen=step["seen"],
            dropped=dropped,
            mended=step["mended"],
            share=f"{dropped / max(1, step['seen']):.2%}",
            bar=100 * step["kept"] / max(1, manifest["rows_read"]),
            reasons=_most_frequent(step["dropped"]),
            examples=examples[f"{number} {step['name']}"],
        )


def _most_frequent(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    ordered = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    rest = sum(count for _, count in ordered[REASONS:])
    return [*ordered[:REASONS], *([("other reasons", rest)] if rest else [])]
