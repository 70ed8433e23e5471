from __future__ import annotations

import sys
from typing import Any

import pytest


@pytest.mark.parametrize("library", ["fastapi", "uvicorn", "prometheus_client"])
def test_without_the_extra_its_name_is_told(cli: Any, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    for name in [name for name in sys.modules if name.startswith("multigraft.runtime.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    said = cli("serve", "bundle")
    assert said.code == 1
    assert f'{library} is not installed  ->  pip install "multigraft[serve]"' in said.err


def test_what_a_bundle_is_named_after(cli: Any) -> None:
    assert "two bundles are named 'run'" in cli("serve", "a/run/bundle", "b/run").err
    assert "'.hidden': letters, digits" in cli("serve", "/tmp/.hidden").err


@pytest.mark.parametrize("option", [("--port", "70000"), ("--max-batch", "0"), ("--wait-ms", "-1")])
def test_a_wrong_option_is_wrong_usage(cli: Any, option: tuple[str, str]) -> None:
    assert cli("serve", "bundle", *option).code == 2
