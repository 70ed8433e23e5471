"""A spec comes from a file that anybody may have written: what is none is refused as such."""

from __future__ import annotations

from typing import Any

import pytest

from multigraft.errors import MultigraftError
from multigraft.plugins.catalog import Catalog


@pytest.mark.parametrize("spec", [[], None, "image", 3, [{"kind": "image"}]])
@pytest.mark.parametrize("name", ["text", "image", "audio", "table"])
def test_what_is_no_spec_is_refused(name: str, spec: Any) -> None:
    modality = Catalog().modality(name)
    with pytest.raises(MultigraftError):
        modality.reader(spec)
