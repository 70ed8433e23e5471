from __future__ import annotations

import pytest
import torch

from multigraft.system.compute.precision import FP32, Precision, choose_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("precision", "dtype"), [(FP32, torch.float32), (Precision("bf16"), torch.bfloat16)]
)
def test_matrices_are_multiplied_in_it_as_often_as_asked(
    precision: Precision, dtype: torch.dtype
) -> None:
    for _ in range(2):
        with precision.autocast():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize(("native", "name"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_what_the_processor_computes_natively(
    native: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multigraft.system.compute.precision.native_bf16", lambda: native)
    assert choose_precision("auto", CPU).name == name
    assert choose_precision("fp32", CPU) == FP32
    assert choose_precision("bf16", CPU) == Precision("bf16", "cpu")


@pytest.mark.parametrize("begun", ["fp32", "bf16"])
def test_a_training_goes_on_in_what_it_began_in(
    begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multigraft.system.compute.precision.native_bf16", lambda: begun == "fp32")
    assert choose_precision("auto", CPU, begun=begun).name == begun
