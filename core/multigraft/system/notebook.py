"""Notebook output: what a cell shows of an object, as HTML in whatever colours the page has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from multigraft.system.terminal import harmless


@dataclass(frozen=True)
class Rail:
    """A share with its interval on a line from 0 to 1, and a mark that it is held against."""

    value: float
    low: float
    high: float
    mark: float | None = None


Cell = str | Rail
Table = Sequence[Sequence[Cell]]
"""Rows of cells; the first is the heading."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What is shown of an object. All of it is text: it is escaped here and nowhere else."""

    heading: str
    aside: str = ""
    """Beside the heading, in small."""
    tables: Mapping[str, Table] = field(default_factory=dict)
    """By caption; an empty one is not shown."""
    notes: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    folded: Mapping[str, Table] = field(default_factory=dict)
    """Tables that a click opens."""


STYLE = """
.mg-view { max-width: 60rem; line-height: 1.5; font-variant-numeric: tabular-nums; }
.mg-view p { margin: .2rem 0; }
.mg-view small, .mg-view dt, .mg-view th, .mg-view summary { opacity: .7; font-weight: 400; }
.mg-view strong { margin-right: .75em; }
.mg-view .mg-scroll { overflow-x: auto; }
.mg-view table { margin: .4rem 0; border-collapse: collapse; font-size: inherit; border: 0; }
.mg-view caption { caption-side: top; padding: 0; color: inherit; text-align: left; opacity: .7; }
.mg-view table tr:nth-child(n) { background: none; border: 0; }
.mg-view table tr:nth-child(n) > * { padding: .15rem 1.2em .15rem 0; border: 0; text-align: left;
  vertical-align: middle; max-width: 30rem; white-space: normal; overflow-wrap: break-word; }
.mg-view table tr:nth-child(n) > td { border-top: 1px solid rgba(128, 128, 128, .25); }
.mg-view table tr:nth-child(n) > .mg-whole { white-space: nowrap; }
.mg-view table tr:nth-child(n) > :not(.mg-whole) { min-width: 9rem; }
.mg-view dl { display: grid; gap: .1rem 1.5rem; margin: .4rem 0; padding: 0;
  grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); }
.mg-view dl div { display: flex; gap: .6em; align-items: baseline; min-width: 0; }
.mg-view dt { flex: none; float: none; width: auto; margin: 0; }
.mg-view dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.mg-view dl .mg-wide { grid-column: 1 / -1; }
.mg-view ul.mg-notes { margin: .4rem 0; padding: 0 0 0 .8em; border-left: 3px solid #d99a1c; }
.mg-view ul.mg-notes li { list-style: none; margin: 0; }
.mg-view details { margin: .2rem 0; }
.mg-rail { position: relative; display: inline-block; width: 10rem; max-width: 30vw; height: 1em;
  vertical-align: -.15em;
  background: linear-gradient(rgba(128, 128, 128, .4) 0 0) center / 100% 2px no-repeat; }
.mg-rail i, .mg-rail b { position: absolute; top: 15%; height: 70%; }
.mg-rail i { min-width: 2px; border-radius: 2px; background: #3a8fd9; opacity: .45; }
.mg-rail b { width: 3px; margin-left: -1px; background: #3a8fd9; }
.mg-rail .mg-mark { width: 2px; background: currentColor; opacity: .6; }
.mg-view progress { width: 14rem; max-width: 40vw; margin-right: .75em; vertical-align: middle;
  accent-color: #3a8fd9; }
@media (max-width: 30rem) {
  .mg-view table tr:nth-child(n) > * { padding-right: .7em; }
  .mg-rail { width: 3.25rem; }
}
"""
"""Colours are the page's own, whatever its theme: grey is transparent, and the one blue reads on
light and on dark. Notebooks have rules for tables, which these outdo."""
WHOLE = 24
"""Cells at most so long are kept on one line."""


def page_part(view: View) -> str:
    """The view as a piece of HTML, its style with it."""
    return framed("".join(_parts(view)))


def framed(body: str) -> str:
    """HTML in the frame that the style is for."""
    return f'<div class="mg-view"><style>{STYLE}</style>{body}</div>'


def words(text: str) -> str:
    """A stranger's words as HTML: neither markup nor signs that turn the reading direction."""
    return escape(harmless(text))


def _parts(view: View) -> Iterator[str]:
    aside = f"<small>{words(view.aside)}</small>" if view.aside else ""
    yield f"<p><strong>{words(view.heading)}</strong>{aside}</p>"
    for caption, rows in view.tables.items():
        yield table(rows, caption)
    if view.notes:
        notes = "".join(f"<li>{words(note)}</li>" for note in view.notes)
        yield f'<ul class="mg-notes">{notes}</ul>'
    if view.facts:
        yield f"<dl>{''.join(_fact(name, value) for name, value in view.facts.items())}</dl>"
    for caption, rows in view.folded.items():
        if rows:
            yield f"<details><summary>{words(caption)}</summary>{table(rows)}</details>"


def table(rows: Table, caption: str = "") -> str:
    """A table that scrolls where it is too wide; empty where there are no rows."""
    if not rows:
        return ""
    heading, *body = rows
    told = f"<caption>{words(caption)}</caption>" if caption else ""
    head = _row(heading, "th") if any(heading) else ""
    lines = "".join(_row(row, "td") for row in body)
    return (
        f'<div class="mg-scroll"><table>{told}<thead>{head}</thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _row(cells: Sequence[Cell], tag: str) -> str:
    return f"<tr>{''.join(_cell(cell, tag) for cell in cells)}</tr>"


def _cell(cell: Cell, tag: str) -> str:
    if isinstance(cell, Rail):
        return f'<{tag} class="mg-whole">{_rail(cell)}</{tag}>'
    whole = ' class="mg-whole"' if len(cell) <= WHOLE else ""
    return f"<{tag}{whole}>{words(cell)}</{tag}>"


def _rail(rail: Rail) -> str:
    """Band, needle and mark; their places are percentages, so no width has to be known."""
    low, value, high = (100 * edge for edge in (rail.low, rail.value, rail.high))
    band = f'<i style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
    needle = f'<b style="left:{value:.1f}%"></b>'
    mark = ""
    if rail.mark is not None:
        mark = f'<b class="mg-mark" style="left:{100 * rail.mark:.1f}%"></b>'
    return f'<span class="mg-rail">{mark}{band}{needle}</span>'


def _fact(name: str, value: str) -> str:
    wide = ' class="mg-wide"' if len(value) > WHOLE else ""
    return f"<div{wide}><dt>{words(name)}</dt><dd>{words(value)}</dd></div>"


class Output:
    """One output of the cell that runs, shown anew in its place; a saved notebook keeps the
    last."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, body: str, text: str) -> None:
        """Show HTML in the frame, and where there is none the text."""
        from IPython.display import display

        shown = {"text/html": framed(body), "text/plain": text}
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)
