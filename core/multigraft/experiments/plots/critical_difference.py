"""Critical-difference diagram (Demsar 2006), a line for each system: its mean rank, and bars that
join what is not told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from multigraft.evaluation.report.axes import WIDTH, Axis
from multigraft.evaluation.report.svg import cut, svg, text
from multigraft.evaluation.statistics import Ranks
from multigraft.experiments.leaderboard import Leaderboard

NAMES, TOP, LINE, BAR = 180, 52, 22, 10
"""Width of the names, height of the ruler, of a system's line, and width of a bar."""
LETTERS = 25


def diagram(board: Leaderboard) -> str | None:
    """The diagram as SVG; None where systems were not tested by Friedman's test."""
    return None if board.ranks is None else rank_diagram(board.ranked, board.ranks)


def rank_diagram(names: Sequence[str], ranks: Ranks) -> str:
    """Mean ranks of systems, 1 being the best."""
    places = sorted(zip(ranks.mean_ranks.tolist(), names, strict=True))
    order = [rank for rank, _ in places]
    bars = [[float(ranks.mean_ranks[each]) for each in group] for group in ranks.alike()]
    across = Axis(1, len(names), NAMES, WIDTH - 18 - BAR * len(bars), ())
    body = [*_ruler(across, len(names), ranks.critical_difference)]
    for line, (rank, name) in enumerate(places):
        body += _system(across, rank, name, _y(line))
    for number, bar in enumerate(bars):
        last = len(order) - 1 - order[::-1].index(max(bar))
        body.append(_bar(WIDTH - 4 - BAR * number, order.index(min(bar)), last))
    said = "; ".join(f"{name}: mean rank {rank:.2f}" for rank, name in places)
    title = f"Mean ranks; critical difference {ranks.critical_difference:.2f}"
    return svg(WIDTH, _y(len(places)) - 4, title, said, "".join(body))


def _y(line: int) -> float:
    return TOP + 18 + LINE * line


def _ruler(across: Axis, systems: int, difference: float) -> Iterator[str]:
    """The ranks, and over them how long the critical difference is."""
    yield f'<line class="axis" x1="{across.start}" x2="{across.end}" y1="{TOP}" y2="{TOP}"/>'
    for rank in range(1, systems + 1, max(1, -(-systems // 8))):
        x = across.place(rank)
        yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + 5}"/>'
        yield text(x, TOP - 6, str(rank), "tick", "middle")
    end = across.place(min(1 + difference, systems))
    yield f'<line class="alike" x1="{across.start}" x2="{end:.1f}" y1="24" y2="24"/>'
    yield text(across.start, 14, f"critical difference {difference:.2f}", "tick")


def _system(across: Axis, rank: float, name: str, y: float) -> Iterator[str]:
    x = across.place(rank)
    yield text(0, y + 4, cut(name, LETTERS))
    yield f'<line class="grid" x1="{across.start - 6}" x2="{x:.1f}" y1="{y}" y2="{y}"/>'
    yield (
        f'<circle class="point c0" cx="{x:.1f}" cy="{y}" r="4.5">'
        f"<title>{escape(f'{name}: mean rank {rank:.2f}')}</title></circle>"
    )
    left = x + 58 > across.end  # there is no room at the right
    at, anchor = (x - 9, "end") if left else (x + 9, "start")
    yield text(at, y + 4, f"{rank:.2f}", "tick", anchor)


def _bar(x: float, first: int, last: int) -> str:
    """A bar beside systems that are not told apart."""
    ends = f'y1="{_y(first) - 7}" y2="{_y(last) + 7}"'
    return f'<line class="alike" x1="{x}" x2="{x}" {ends}/>'
