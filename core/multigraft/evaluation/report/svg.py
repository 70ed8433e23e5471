"""SVG elements as text, coloured by class: a drawing with its title, and a word in it."""

from __future__ import annotations

from html import escape

LETTER = 6.5
"""Width of a letter of a label, in pixels."""


def svg(
    width: float,
    height: float,
    title: str,
    described: str,
    body: str,
    *,
    kind: str = "chart",
    stretched: bool = False,
) -> str:
    """A drawing; ``described`` is for people who cannot see it."""
    ratio = ' preserveAspectRatio="none"' if stretched else ""
    desc = f"<desc>{escape(described)}</desc>" if described else ""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}"{ratio} role="img">'
        f"<title>{escape(title)}</title>{desc}{body}</svg>"
    )


def text(
    x: float, y: float, said: str, css: str = "label", anchor: str = "start", *, turn: bool = False
) -> str:
    """A word; ``turn``: upwards."""
    turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
    start = f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turned}>'
    return f"{start}{escape(said)}</text>"


def cut(name: str, most: int) -> str:
    """A name of at most so many letters.

    >>> cut("linear-probe", 8)
    'linear-…'
    """
    return name if len(name) <= most else name[: most - 1] + "…"
