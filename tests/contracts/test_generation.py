from __future__ import annotations

import pytest

import multigraft as mg
from multigraft.errors import PluginError


def test_a_plugin_of_the_earlier_contract_is_told_what_changed() -> None:
    with pytest.raises(PluginError, match=r"no longer takes a cache: give writing=mg\.Writing"):
        mg.Generating(decoder=None, cache={"0.key": (2, 8)})  # type: ignore[call-arg, arg-type]
