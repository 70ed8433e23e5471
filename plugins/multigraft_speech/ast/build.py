"""Build an AST: from scratch, or what a folder of weights holds."""

from __future__ import annotations

import math
from typing import Any

from multigraft.contracts.records import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError
from multigraft.models.untrusted import check_complete, check_taken
from multigraft_speech.ast.module import SpectrogramTransformer
from multigraft_speech.ast.specs import load_ast_config
from multigraft_speech.weights import has_extractor, load_model, opened, source


def build(origin: Origin, spec: Spec) -> SpectrogramTransformer:
    """A backbone from the hub, a folder of transformers' (ours too), or from scratch."""
    from transformers import ASTModel

    del spec
    config = load_ast_config(origin)
    extractor = _extractor(origin, config)
    model = ASTModel(config) if origin.scratch else _load(origin, config)
    return SpectrogramTransformer(
        model, extractor, spec_augment=origin.config.get("spec_augment", 0.0)
    )


def _load(origin: Origin, config: Any) -> Any:
    from transformers import ASTModel

    model, info = load_model(origin, config, ASTModel)
    folder = source(origin)
    check_complete(folder, "ASTModel", info["missing_keys"])
    check_taken(folder, model, model.base_model_prefix, info["unexpected_keys"])
    return model


def _extractor(origin: Origin, config: Any) -> Any:
    """What was saved with the weights, else transformers' default. Raises WeightsError for one
    that is not theirs."""
    from transformers import ASTFeatureExtractor

    own = {"num_mel_bins": config.num_mel_bins, "max_length": config.max_length}
    if origin.scratch or (origin.path is not None and not has_extractor(origin.path)):
        return ASTFeatureExtractor(**own)
    found = opened(origin, lambda: ASTFeatureExtractor.from_pretrained(source(origin)))
    wrong = [name for name, value in own.items() if getattr(found, name) != value]
    wrong += [name for name in ("mean", "std") if not _is_number(getattr(found, name))]
    if wrong or found.std <= 0:
        raise WeightsError(
            f"{origin.path or origin.hub}: its preprocessor_config.json cannot be used with its "
            f"config.json: see {', '.join(wrong or ['std'])}"
        )
    return found


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
