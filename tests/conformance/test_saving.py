"""Which saved files could run code: told by their content, and no safetensors file among them."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from multigraft.testing.check_saving import _is_pickle


@pytest.mark.parametrize("padding", range(0, 1024, 8))
def test_no_length_of_a_header_makes_a_safetensors_file_a_pickle(
    padding: int, tmp_path: Path
) -> None:
    """A header of 896 bytes begins with 0x80 0x03, as a pickle does."""
    file = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(1)}, file, metadata={"padding": "x" * padding})
    assert not _is_pickle(file)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_under_another_name_is_one(protocol: int, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(pickle.dumps({"weight": [0.0] * 9}, protocol=protocol))
    assert _is_pickle(file)
