"""What a backbone may have besides is told apart from layers of the same name."""

from __future__ import annotations

from torch import nn

from multigraft.contracts.features import Level, Patches, levels_of, patches_of


class Layered(nn.Module):
    """A network whose author calls layers as the contract calls its optional members."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, kernel_size=4, stride=4)
        self.levels = nn.ModuleList([nn.Identity()])


def test_layers_of_these_names_promise_nothing() -> None:
    assert patches_of(Layered()) is None
    assert levels_of(Layered()) == ()


def test_what_is_promised_is_found() -> None:
    backbone = nn.Identity()
    backbone.patches = Patches(grid=(2, 2), size=(4, 4), before=1)  # type: ignore[assignment]
    backbone.levels = [Level(8, 4), Level(16, 8)]  # type: ignore[assignment]
    assert patches_of(backbone) == Patches((2, 2), (4, 4), 1)
    assert levels_of(backbone) == (Level(8, 4), Level(16, 8))
