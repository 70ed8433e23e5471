"""Survey a timm network from inside, by running it once on tensors without memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, TypeVar

import timm
import torch
from torch import Tensor, nn

from multigraft import MultigraftError

T = TypeVar("T")
Layout = Literal["tokens", "NCHW", "NHWC", "other"]
# The children of a stage that does nothing but run them one after another.
STAGE = {"downsample", "pos_emb", "blocks", "norm"}
# Small containers that are better frozen or left whole.
WHOLE = {"stem", "head"}
STEP, STEPS = 32, 8
"""In pixels, and how many larger sizes are tried where one is refused."""


@dataclass(frozen=True)
class Survey:
    """The anatomy of one network at one input size."""

    blocks: tuple[str, ...]
    """The modules with parameters, in the order they run."""
    width: int
    """The width of what the classifier sees."""
    layout: Layout
    """Of `forward_features`: [B, T, D], [B, C, H, W], [B, H, W, C], or something of its own."""
    classifier: Mapping[str, tuple[int, ...]]
    """Name and shape of the weight for one class; two in distilled networks, then averaged."""


Find = Callable[[str, Mapping[str, Any], Mapping[str, Any], tuple[int, int]], T]
"""(architecture, timm's configuration, its arguments, height and width) -> what was found."""


def memoized(find: Find[T]) -> Find[T]:
    """Memoize what a run of an architecture tells: it follows from the arguments alone, and takes a
    second."""
    known: dict[str, T] = {}

    @wraps(find)
    def kept(
        name: str, cfg: Mapping[str, Any], args: Mapping[str, Any], size: tuple[int, int]
    ) -> T:
        key = repr((name, sorted(cfg.items()), sorted(args.items()), size))
        if key not in known:
            known[key] = find(name, cfg, args, size)
        return known[key]

    return kept


@memoized
def survey(
    name: str, cfg: Mapping[str, Any], args: Mapping[str, Any], size: tuple[int, int]
) -> Survey:
    """Run the architecture on images of ``size``. Raises MultigraftError if too small."""
    with torch.device("meta"):
        network = timm.create_model(name, pretrained_cfg=dict(cfg), num_classes=1, **args).eval()
        headless = timm.create_model(name, pretrained_cfg=dict(cfg), num_classes=0, **args)
        classifier = _classifier(name, network, headless)
        candidates = dict(_candidates(headless, ""))
        ran: list[str] = []
        for path in candidates:
            network.get_submodule(path).register_forward_pre_hook(_recorder(path, ran))
        with refused_size(name, cfg, args, size):
            features, pooled = _run(network, args, size)
    return Survey(
        blocks=tuple(dict.fromkeys(ran)),
        width=pooled.shape[-1],
        layout=_layout(features, network.num_features),
        classifier=classifier,
    )


@contextmanager
def refused_size(
    name: str, cfg: Mapping[str, Any], args: Mapping[str, Any], size: tuple[int, int]
) -> Iterator[None]:
    """Around what runs an architecture: raise MultigraftError, with a size that it does take."""
    try:
        yield
    except (RuntimeError, AssertionError) as error:
        near = _takes(name, cfg, args, size)
        raise MultigraftError(
            f"{name} cannot read images of {size[0]} x {size[1]} ({error}); "
            f"{near or 'set another reader.size'}"
        ) from error


def blank(args: Mapping[str, Any], size: Sequence[int]) -> Tensor:
    """Two images as a network of these arguments takes them: [2, C, H, W]."""
    return torch.zeros(2, args.get("in_chans", 3), *size)


def _run(network: Any, args: Mapping[str, Any], size: tuple[int, int]) -> tuple[Any, Tensor]:
    features = network.forward_features(blank(args, size))
    return features, network.forward_head(features, pre_logits=True)


def _takes(
    name: str, cfg: Mapping[str, Any], args: Mapping[str, Any], size: tuple[int, int]
) -> str | None:
    """A size that the network does take, a little larger in steps of 32, in words."""
    first = [-(-side // STEP) * STEP for side in size]
    for more in range(0, STEPS * STEP, STEP):
        height, width = (side + more for side in first)
        sized = {**args, **({"img_size": [height, width]} if "img_size" in args else {})}
        with suppress(RuntimeError, AssertionError), torch.device("meta"):
            network = timm.create_model(name, pretrained_cfg=dict(cfg), num_classes=0, **sized)
            _run(network.eval(), sized, (height, width))
            return f"it takes {height} x {width}: set reader.size to [{height}, {width}]"
    return None


def _recorder(path: str, ran: list[str]) -> Any:
    return lambda module, args: ran.append(path)


def _candidates(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    """The modules that hold parameters, with plain sequences and stages taken apart."""
    for name, child in module.named_children():
        if next(child.parameters(), None) is None:
            continue
        if name not in WHOLE and _is_chain(child):
            yield from _candidates(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _is_chain(module: nn.Module) -> bool:
    names = {
        name
        for name, child in module.named_children()
        if next(child.parameters(), None) is not None
    }
    plain = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
    return plain or isinstance(module, nn.ModuleList) or ("blocks" in names and names <= STAGE)


def _layout(features: Any, channels: int) -> Layout:
    if not isinstance(features, Tensor):
        return "other"
    if features.ndim == 3 and features.shape[2] == channels:
        return "tokens"
    if features.ndim == 4 and channels in (features.shape[1], features.shape[3]):
        return "NCHW" if features.shape[1] == channels else "NHWC"
    return "other"


def _classifier(name: str, network: nn.Module, headless: nn.Module) -> dict[str, tuple[int, ...]]:
    """Find the place of a linear layer on pooled features. Raises MultigraftError if none."""
    found = network.pretrained_cfg.get("classifier")
    names = (found,) if isinstance(found, str) else tuple(found or ())
    state = network.state_dict()
    extra = state.keys() - headless.state_dict().keys()
    single = len(names) == 1 or (len(names) == 2 and "dist" in names[1])
    if not single or extra != {f"{path}.{part}" for path in names for part in ("weight", "bias")}:
        raise MultigraftError(
            f"{name} does not end in one linear classifier, so timm could not open what is "
            "fine-tuned here; choose another architecture"
        )
    return {path: tuple(state[f"{path}.weight"].shape) for path in names}
