"""Backbone names that nobody registered: what a person may have meant by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from multigraft.contracts.records import Backbone, Size
from multigraft.errors import did_you_mean

Sized = Mapping[str, tuple[Backbone, str, Size]]
"""Every family's sizes, as ``bert-tiny``."""


def meant_backbone(name: str, sized: Sized, families: Sequence[Backbone]) -> str:
    """The end of an "unknown backbone" sentence.

    A name on the hub is known by the size that has its weights (``bert-base-uncased``), a family's
    gets its sizes, and one with more behind a size's is that size's; the nearest name comes last.
    """
    tail = name.rpartition("/")[2]
    published = {each.hub: found for found, (_, _, each) in sized.items() if each.hub}
    by_tail = {hub.rpartition("/")[2]: found for hub, found in published.items()}
    if found := published.get(name) or by_tail.get(tail):
        return f"did you mean {found!r}, which has these weights?"
    own = [each for each, (family, _, _) in sized.items() if family.name == tail]
    if own:
        return f"its size is missing: {', '.join(sorted(own))}"
    begins = [each for each in sized if tail.startswith((f"{each}-", f"{each}_"))]
    if tail in sized or begins:
        return f"did you mean {tail if tail in sized else max(begins, key=len)!r}?"
    others = sorted(f"{family.name}/<name>" for family in families if family.find is not None)
    more = f"; others by their own names: {', '.join(others)}" if others else ""
    return did_you_mean(name, sized) + more
