"""Training plans: which parameters learn, how fast, and from when; strategies refine them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Rule:
    """Learning rule of one parameter."""

    learns: bool = True
    scale: float = 1.0
    """Of the learning rate."""
    start: float = 0.0
    """The share of training (0 to 1) after which it begins."""

    def active(self, share: float) -> bool:
        """Tell whether it learns when ``share`` of the training is done."""
        return self.learns and share >= self.start


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share rate, start and weight decay."""

    names: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]
    rule: Rule
    decays: bool


@dataclass(frozen=True)
class Plan:
    """A graft and a rule for each of its parameters."""

    graft: nn.Module
    """A backbone and a head: `multigraft.models.graft.Graft`."""
    rules: Mapping[str, Rule]
    branch: str = ""
    """The branch that `backbone`, `depth`, `change` and `frozen` are of; empty: there are none."""

    @classmethod
    def start(cls, graft: nn.Module) -> Plan:
        """Everything learns, at the full rate, from the beginning."""
        return cls(graft, {name: Rule() for name, _ in graft.named_parameters()})

    def restart(self) -> Plan:
        """The plan once parameters were added: those that it does not know learn in full."""
        names = (name for name, _ in self.graft.named_parameters())
        return replace(self, rules={name: self.rules.get(name, Rule()) for name in names})

    def by_branch(self) -> dict[str, Plan]:
        """This plan as seen from each branch; from its one backbone where there are none."""
        branches: Mapping[str, nn.Module] = getattr(self.graft, "branches", {})
        return {branch: replace(self, branch=branch) for branch in branches or ("",)}

    @property
    def backbone(self) -> nn.Module:
        """The backbone that is planned for."""
        return backbone_of(self.graft, self.branch)

    @property
    def depth(self) -> int:
        """The number of blocks, later ones counted."""
        return len(blocks_of(self.graft, self.branch))

    def change(self, changed: Callable[[int, str, Rule], Rule]) -> Plan:
        """The plan with ``changed(block, name, rule)`` in the place of every backbone rule.

        Blocks count from 0 at the input; ``depth`` is what comes after the last one. The head
        stays.
        """
        blocks = block_of(self.graft, self.branch)
        return replace(
            self,
            rules={
                name: changed(blocks[name], name, rule) if name in blocks else rule
                for name, rule in self.rules.items()
            },
        )

    def groups(self) -> list[ParameterGroup]:
        """Parameter groups of the optimizer; biases and norms (below two axes) get no decay."""
        parameters = dict(self.graft.named_parameters())
        grouped: dict[tuple[Rule, bool], list[str]] = {}
        for name, rule in self.rules.items():
            if rule.learns:
                grouped.setdefault((rule, parameters[name].ndim >= 2), []).append(name)
        return [
            ParameterGroup(tuple(names), tuple(parameters[name] for name in names), rule, decays)
            for (rule, decays), names in grouped.items()
        ]

    def activate(self, share: float) -> None:
        """Freeze and unfreeze the graft for the moment when ``share`` of the training is done.

        A module whose parameters are all frozen is put in evaluation mode: no dropout, no batch
        statistics; so is dropout between frozen blocks.
        """
        for name, parameter in self.graft.named_parameters():
            parameter.requires_grad_(self.rules[name].active(share))
        self.graft.train()
        _set_eval(self.graft)
        for branch, plan in self.by_branch().items():
            _set_eval_between(self.graft, branch, plan.frozen(share))

    def frozen(self, share: float) -> int:
        """Count the blocks before the first that learns at ``share`` of the training.

        One more than there are where the backbone rests altogether, what follows its last block
        included.
        """
        blocks = block_of(self.graft, self.branch)
        learning = [block for name, block in blocks.items() if self.rules[name].active(share)]
        return min(learning, default=self.depth + 1)

    def unchanging(self) -> frozenset[str]:
        """The names in the graft's state that no step changes: weights that never learn, and the
        buffers of modules that rest in evaluation mode throughout."""
        modes = [(module, module.training) for module in self.graft.modules()]
        wanted = {name: p.requires_grad for name, p in self.graft.named_parameters()}
        self.activate(1.0)
        still = {
            f"{path}.{name}" if path else name
            for path, module in self.graft.named_modules(remove_duplicate=False)
            for name, _ in module.named_buffers(recurse=False)
            if not module.training
        }
        for module, mode in modes:
            module.training = mode
        for name, parameter in self.graft.named_parameters():
            parameter.requires_grad_(wanted[name])
        never = {name for name, rule in self.rules.items() if not rule.learns}
        return frozenset((still | never) & self.graft.state_dict().keys())

    def starts(self) -> list[float]:
        """The shares of training at which something begins to learn, in order."""
        return sorted({rule.start for rule in self.rules.values() if rule.learns})

    def learning(self) -> int:
        """Count the numbers that learn at some time."""
        parameters = dict(self.graft.named_parameters())
        return sum(parameters[name].numel() for name, rule in self.rules.items() if rule.learns)


def _set_eval(module: nn.Module) -> None:
    """Put the largest wholly frozen parts below ``module`` in evaluation mode."""
    for child in module.children():
        parameters = list(child.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            child.eval()
        else:
            _set_eval(child)


def _set_eval_between(graft: nn.Module, branch: str, depth: int) -> None:
    """Put what has no parameters and stands before the first ``depth`` blocks' end in evaluation
    mode.

    Like a parameter outside every block it goes with the block that follows it in registration
    order.
    """
    blocks = blocks_of(graft, branch)
    inside = {id(module) for block in blocks for module in block.modules()}
    of = {id(parameter): number for parameter, number in _numbered(graft, branch)}
    following = len(blocks)
    for module in reversed(list(backbone_of(graft, branch).modules())):
        if id(module) not in inside and not any(True for _ in module.parameters()):
            module.train(module.training and following >= depth)
        for parameter in module.parameters(recurse=False):
            following = of[id(parameter)]
            break


def _numbered(graft: nn.Module, branch: str) -> list[tuple[nn.Parameter, int]]:
    numbers = block_of(graft, branch)
    return [
        (parameter, numbers[name])
        for name, parameter in graft.named_parameters()
        if name in numbers
    ]


def block_of(graft: nn.Module, branch: str = "") -> dict[str, int]:
    """The block of each parameter of a backbone, by its name in the graft.

    A parameter outside every block goes with the block that follows it in registration order; what
    follows the last block gets the number of blocks.
    """
    blocks = blocks_of(graft, branch)
    inside = {
        id(parameter): index
        for index, block in enumerate(blocks)
        for parameter in block.parameters()
    }
    found: dict[str, int] = {}
    following = len(blocks)
    own = {id(parameter) for parameter in backbone_of(graft, branch).parameters()}
    for name, parameter in reversed(list(graft.named_parameters())):
        if id(parameter) in own:
            following = inside.get(id(parameter), following)
            found[name] = following
    return found


def blocks_of(graft: nn.Module, branch: str = "") -> list[nn.Module]:
    """A backbone's blocks, from the input to the output, and those of its decoder behind them."""
    backbone: Any = backbone_of(graft, branch)
    return [*backbone.blocks, *getattr(backbone, "later", ())]


def backbone_of(graft: nn.Module, branch: str = "") -> nn.Module:
    """The backbone of one branch; the graft's own where it has none."""
    whole: Any = graft
    found: nn.Module = whole.branches[branch] if branch else whole.backbone
    return found
