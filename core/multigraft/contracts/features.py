"""What a backbone gives, and what the engine may ask of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor, nn

Batch = dict[str, Tensor]
"""Named arrays of one batch, as tensors on the model's device."""


@dataclass(frozen=True)
class Features:
    """What a backbone computes from a batch of B rows."""

    pooled: Tensor
    """[B, D]: one vector a row, for classification, retrieval and fusion."""
    sequence: Tensor | None = None
    """[B, T, D]: one vector a position (token, patch, frame)."""
    mask: Tensor | None = None
    """[B, T] bool: which positions are real; None where all are."""
    maps: tuple[Tensor, ...] = ()
    """[B, C, H, W] each (or [B, C, T] for sound), finest first; a map for each of the backbone's
    levels, where its pyramid was asked for."""
    branches: Mapping[str, Features] = field(default_factory=dict)
    """Of a graft with several branches: what each gives; zeros in rows that lack it."""
    present: Tensor | None = None
    """[B, branches] of 0 and 1: which branches a row has; None where every row has all."""


FIELDS = tuple(each.name for each in fields(Features))
"""The names of what a backbone may give."""
VISIBLE = "visible"
"""The array that names the patches to compute: int64 [B, K], patch i * columns + j lying in row i
and column j of the grid, each at most once."""


@dataclass(frozen=True)
class Patches:
    """How the patches of a plain vision transformer lie, of which it can compute some alone."""

    grid: tuple[int, int]
    """How many down and across."""
    size: tuple[int, int]
    """Height and width of one, in pixels: the input is grid times size."""
    before: int
    """Positions of `Features.sequence` that stand before the first patch, as a class token."""


@dataclass(frozen=True)
class Level:
    """One map of a feature pyramid.

    Of an input [H, W] it is [B, channels, ceil(H / stride), ceil(W / stride)], and its cell i, j
    stands for the pixels from i * stride and j * stride on.
    """

    channels: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class SharedSpace:
    """Where a tower of a published dual encoder, as CLIP, embeds its values beside the other's."""

    model: str
    """The kind of dual encoder: towers of different kinds share no space."""
    width: int
    """Of the embeddings."""
    projection: nn.Module
    """`Features.pooled` [B, D] -> [B, width]; no part of the backbone, but of a head that takes it.
    The backbone's ``save`` writes it as it then is."""
    loss: Literal["infonce", "siglip"]
    """The loss it was trained by."""
    log_scale: float | None = None
    """Logits are cosines times the exponential of it; None where these weights do not say."""
    bias: float | None = None
    """Added to logits, where each pair is judged by itself."""
    save: Callable[[Path, Mapping[str, Path], float, float | None], None] | None = None
    """(folder, the saved folder of each tower by its branch, log scale, bias): write what lets the
    ecosystem open both towers as one model. One of two towers has it."""


def shared_space_of(backbone: object) -> SharedSpace | None:
    """Where a tower of a dual encoder embeds; None of any other backbone.

    >>> shared_space_of(nn.Identity())
    """
    found = getattr(backbone, "shared_space", None)
    return found if isinstance(found, SharedSpace) else None


def patches_of(backbone: object) -> Patches | None:
    """Patches of a backbone that computes some alone; a layer of that name is not meant.

    >>> patches_of(nn.Identity())
    """
    found = getattr(backbone, "patches", None)
    return found if isinstance(found, Patches) else None


def levels_of(backbone: object) -> tuple[Level, ...]:
    """Levels of a backbone's pyramid, finest first; layers of that name are not meant.

    >>> levels_of(nn.Identity())
    ()
    """
    found = getattr(backbone, "levels", ())
    return () if isinstance(found, nn.Module) else tuple(found)


@runtime_checkable
class BackboneModule(Protocol):
    """An `nn.Module` with these members is a backbone; nothing is inherited.

    ``blocks`` is ordered from the input to the output. A parameter outside every block goes with
    the block that follows it in registration order; those after the last block go with the head
    end.

    ``save_sequence(folder, *, head, labels)`` may be there too: it writes a folder as `save` does,
    with a classification ``head`` on each position of ``sequence``.

    ``hop: int`` and ``field: int`` may be there too, where position i of ``sequence`` sees
    ``field`` units of the row (as `Reader.length` counts them) from ``i * hop`` on, and a row of n
    units has ``(n - field) // hop + 1`` positions. Tasks that place positions in time ask for them.

    ``later: Sequence[nn.Module]`` may be there too: the blocks of a decoder that a head calls
    behind the features. Strategies count them behind ``blocks``; they are never replayed.

    ``levels: Sequence[Level]`` may be there too, known before a forward pass, finest first, and
    beside them ``pyramid = False``. Where a task reads them (`Task.levels`), ``pyramid`` is set,
    and from then on `Features.maps` holds a map for each level.

    ``joins = True`` may be there too, where blocks read what several before them gave, as those of
    a feature pyramid network do: replay then keeps all that is read.

    ``patches: Patches`` may be there too. Where a batch then has `VISIBLE`, `forward` computes
    those patches alone and sees nothing of the others: ``sequence`` is [B, before + K, D], in the
    order asked for, and ``maps`` is empty. Masked autoencoders ask for them.

    ``classifier: str | None`` may be there too: what the linear layer on ``pooled`` is called in
    files of weights that hold one, as ``fc``. LEEP and NCE read it.

    ``detection_head(labels) -> nn.Module`` and ``detection_loss(outputs, batch)`` may be there too:
    a detector that brings its own head along, with what its weights know of the labels, and the
    loss that it is trained with, as `RowLoss` has it: (total, weight), [B] each. The head gives
    ``logits`` [B, Q, classes] and ``boxes`` [B, Q, 4], centre, width and height as shares of the
    input, and while it trains whatever the loss reads; the batch has ``boxes`` [B, N, 4] by their
    corners in the input's pixels and ``classes`` [B, N], below 0 what is no object. Beside them
    ``size`` is the input's height and width. The task of object detection asks for them.

    ``shared_space: SharedSpace`` may be there too: a tower of a dual encoder, with the projection
    and the temperature of its weights. Contrastive learning goes on with them.

    ``writing: Writing``, ``remember`` and ``step`` may be there too, as `generation.Decoder` has
    them: an encoder-decoder, which tasks that write a text about a value ask for.

    ``prefix_decoder(length) -> nn.Module | None`` may be there too: a decoder-only language model
    as a `generation.Decoder` that writes behind ``length`` vectors, its `remember` taking them as
    ``sequence`` [B, length, width]; beside `writing` it has ``length``, ``width``, and ``scale``,
    the deviation of its token embeddings. None where it is an encoder. Captioning asks for it.
    """

    width: int
    """D of `Features.pooled` and `Features.sequence`."""
    blocks: Sequence[nn.Module]
    head_bias: bool
    """Whether a classification head on ``pooled`` has a bias (the ecosystem's own class
    decides)."""

    def forward(self, batch: Batch) -> Features:
        """Compute features. Scaling, normalising and log-mel are done in here, so a graph holds
        them.

        A padded row gives what it gives alone. Keys that are not its own are ignored.
        """
        ...

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write weights and configuration in the ecosystem's format, opened there without
        multigraft.

        With a linear ``head`` [len(labels), D] the folder opens as that library's classifier. A
        `save` with a parameter ``problem_type`` is told which it is, as transformers names them:
        ``single_label_classification``, ``multi_label_classification`` or ``regression``.
        """
        ...


def mean_pool(sequence: Tensor, mask: Tensor | None) -> Tensor:
    """Average the real positions: [B, T, D], [B, T] -> [B, D].

    >>> import torch
    >>> mean_pool(torch.ones(1, 2, 3), torch.tensor([[1, 0]])).tolist()
    [[1.0, 1.0, 1.0]]
    """
    if mask is None:
        return sequence.mean(1)
    real = mask.unsqueeze(-1).to(sequence.dtype)
    return (sequence * real).sum(1) / real.sum(1).clamp(min=1)  # an empty row gives zeros, not NaN
