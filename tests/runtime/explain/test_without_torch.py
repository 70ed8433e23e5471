"""A text bundle is explained where torch cannot be imported: on the command line and by the
server."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import httpx2
import numpy as np
import pytest

from helpers.explained_runs import tiny

COMMAND = """
import sys

from multigraft.testing.offline import Blocker

sys.meta_path.insert(0, Blocker())
from multigraft.cli import main

code = main(sys.argv[1:])
assert "torch" not in sys.modules
sys.exit(code)
"""


def command(*asked: str) -> list[str]:
    return [sys.executable, "-c", COMMAND, *asked]


@pytest.mark.parametrize("method", ["occlusion", "lime"])
def test_the_command_needs_no_torch(method: str) -> None:
    made = tiny("text")
    asked = ["explain", str(made.bundle), "a great film", "--method", method, "--json"]
    done = subprocess.run(command(*asked), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    (row,) = json.loads(done.stdout)["rows"]
    found = [unit["weight"] for unit in row["explanations"][method]["units"]]
    wanted = made.predictor.explain("a great film", method=method).weights
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_the_server_needs_no_torch() -> None:
    made = tiny("text")
    asked = command("serve", str(made.bundle), "--port", "0")
    with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            url = next(
                found[0] for line in process.stderr if (found := re.search(r"http://\S+", line))
            )
            said = httpx2.post(
                f"{url}/explain", json={"inputs": "a great film"}, timeout=30, trust_env=False
            )
        finally:
            process.terminate()
        assert process.wait(30) == 0
    (answer,) = said.json()["answers"]
    wanted = made.predictor.explain("a great film").weights
    np.testing.assert_allclose([unit["weight"] for unit in answer["units"]], wanted, atol=1e-6)
