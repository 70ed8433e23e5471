"""The page on backbones names each detector that is one, and the reason of each that is not."""

from __future__ import annotations

import re

from docs.test_docs import ROOT
from multigraft_vision.detr.architectures import KINDS, REFUSED


def test_the_page_lists_what_is_supported_and_what_is_refused() -> None:
    page = (ROOT / "docs" / "backbones.md").read_text(encoding="utf-8")
    section = page.split("## Detectors\n")[1].split("\n## ")[0]
    supported, refused = section.split("| refused |")
    assert tuple(re.findall(r"^\| `(\w+)` \|", supported, flags=re.MULTILINE)) == KINDS
    told = {
        kind: reason
        for kinds, reason in re.findall(r"^\| (`.*`) \| (.*) \|$", refused, flags=re.MULTILINE)
        for kind in re.findall(r"`([\w-]+)`", kinds)
    }
    assert told == dict(REFUSED)
