from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest


@pytest.mark.parametrize("library", ["fastapi", "uvicorn", "prometheus_client"])
def test_without_the_extra_its_name_is_told(library: str) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None; from multigraft.cli import main; "
        "sys.exit(main(['serve', 'bundle']))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert f'{library} is not installed  ->  pip install "multigraft[serve]"' in said.stderr


def test_what_a_bundle_is_named_after(cli: Any) -> None:
    assert "two bundles are named 'run'" in cli("serve", "a/run", "b/run").err
    assert "'.hidden': letters, digits" in cli("serve", "/tmp/.hidden").err


@pytest.mark.parametrize("option", [("--port", "70000"), ("--max-batch", "0"), ("--wait-ms", "-1")])
def test_a_wrong_option_is_wrong_usage(cli: Any, option: tuple[str, str]) -> None:
    assert cli("serve", "bundle", *option).code == 2
