"""Low-rank adapters (LoRA), put into a backbone by PEFT and merged into its weights in the end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from multigraft.contracts.plan import Plan, Rule, block_of, blocks_of
from multigraft.errors import RecipeError
from multigraft.models.graft import Graft

ADAPTER = "lora_"


def lora(plan: Plan, options: Mapping[str, Any]) -> Plan:
    """LoRA (Hu et al. 2022): low-rank updates to linear and plain convolutional layers of blocks.

    Updates are PEFT's. They are merged into the weights when the model is saved.
    """
    from peft import LoraConfig, inject_adapter_in_model

    if any(plan.rules[name] != Rule() for name in block_of(plan.graft, plan.branch)):
        raise RecipeError(["strategy: lora adds parameters, so it must come first in the list"])
    names = _adaptable(plan)
    if not names:
        raise RecipeError(
            ["strategy: lora found no linear or convolutional layer in the backbone's blocks"]
        )
    config = LoraConfig(
        r=options["rank"],
        lora_alpha=options["alpha"],
        lora_dropout=options["dropout"],
        target_modules=names,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fan_in_fan_out")  # PEFT mends it for GPT-2
        inject_adapter_in_model(config, plan.backbone)
    return plan.restart().change(lambda block, name, rule: replace(rule, learns=ADAPTER in name))


def _adaptable(plan: Plan) -> list[str]:
    """The names, inside the backbone, of the layers that PEFT can adapt."""
    blocks = blocks_of(plan.graft, plan.branch)
    inside = {id(module) for block in blocks for module in block.modules()}
    return [
        name
        for name, module in plan.backbone.named_modules()
        if id(module) in inside and _is_adaptable(module)
    ]


def _is_adaptable(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        return module.groups == 1 and set(module.dilation) == {1}  # PEFT's update ignores both
    # GPT-2's transposed linear
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def merge_adapters(graft: Graft) -> None:
    """Add the low-rank updates to the weights they belong to and remove them, in place."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for parent in list(graft.backbone.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, BaseTunerLayer):
                child.merge()
                setattr(parent, name, child.get_base_layer())
