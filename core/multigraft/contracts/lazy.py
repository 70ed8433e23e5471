"""Lazy imports: a function by its name, imported when it is first called."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from multigraft.errors import missing_dependency


@dataclass(frozen=True)
class Lazy:
    """A function named ``package.module:attribute``, imported when it is first called.

    It lets a plugin register what needs torch without importing torch.

    >>> Lazy("math:floor")(2.5)
    2
    """

    target: str

    def __post_init__(self) -> None:
        module, _, attribute = self.target.partition(":")
        if not module or not attribute:
            raise ValueError(f"{self.target!r} must look like 'package.module:attribute'")

    def resolve(self) -> Callable[..., Any]:
        """Import the module and return the attribute. Raises MissingDependency with the extra to
        install."""
        module, _, attribute = self.target.partition(":")
        try:
            found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise missing_dependency(error) or error from error
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.resolve()(*args, **kwargs)
