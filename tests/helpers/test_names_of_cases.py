"""Workers that collect at different seconds must find the same cases."""

from __future__ import annotations

import gzip

import pytest


@pytest.mark.parametrize("content", [gzip.compress(b"", mtime=second) for second in (1, 2)])
def test_a_case_of_bytes_is_named_by_its_argument(
    content: bytes, request: pytest.FixtureRequest
) -> None:
    assert request.node.callspec.id in ("content0", "content1")
