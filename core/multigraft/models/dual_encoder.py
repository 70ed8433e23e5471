"""One tower of a dual encoder (CLIP, SigLIP): its configuration in a folder that holds the tower
alone or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multigraft.contracts.records import Origin, Size
from multigraft.errors import WeightsError, refused_as
from multigraft.models.untrusted import harmless_config, read_config, settings_of
from multigraft.system.files import expanded


@dataclass(frozen=True)
class Tower:
    """How the folders of one tower are read."""

    what: str
    """As a message names it, as ``text tower``."""
    section: str
    """The part of a dual encoder's configuration that is this tower's, as ``text_config``."""
    types: Mapping[str, str]
    """Model type of a dual encoder -> that of its tower."""
    others: Mapping[str, str]
    """Model types that people take for this tower -> what they are."""
    sizes: tuple[str, ...]
    """Sizes that need no weights, which a message names."""
    folder_of: Callable[[Origin], Path]
    """The folder of weights, fetched where they are on the hub. Raises WeightsError."""
    configs: Mapping[str, Any]
    """Model type -> the class of its configuration."""
    base: type
    """The class of every configuration, whose settings are nobody's own."""

    def find(self, name: str) -> Size | None:
        """The size behind ``<family>/<name>``: a folder, or a run's, begins with ``/``, ``.`` or
        ``~``; an owner and a name are the hub's."""
        if name.startswith(("/", ".", "~")):
            folder = expanded(name)
            model = folder / "model"
            return Size(path=self._of_run(model) if model.is_dir() else folder)
        return Size(hub=name) if name.count("/") == 1 else None

    def config(self, origin: Origin) -> Any:
        """The tower's configuration, without what could lead out of its folder. Raises WeightsError
        for a folder of another kind."""
        if origin.scratch:
            return self._made(origin.config, origin.backbone)
        folder = self.folder_of(origin)
        raw = read_config(folder)
        kind = raw.get("model_type")
        if kind in self.types:
            raw = self._inner(folder, raw)
        elif kind not in self.types.values():
            found = self.others.get(str(kind), f"a {kind!r}")
            raise WeightsError(
                f"{folder}: holds {found}; {origin.backbone!r} needs a dual encoder "
                f"({', '.join(self.types)}) or its {self.what} ({', '.join(self.types.values())})"
            )
        return self._made(raw, str(folder))

    def _of_run(self, model: Path) -> Path:
        """A run's model, or of one of several branches the first that is such a tower."""
        towers = (
            config.parent
            for config in sorted(model.glob("*/config.json"))
            if read_config(config.parent).get("model_type") in self.types.values()
        )
        return next(towers, model)

    def _inner(self, folder: Path, raw: Mapping[str, Any]) -> dict[str, Any]:
        """This tower's part of a dual encoder's configuration."""
        inner = raw.get(self.section) or {}
        older = raw.get(f"{self.section}_dict") or {}  # goes before the other, as in transformers
        if not isinstance(inner, dict) or not isinstance(older, dict):
            raise WeightsError(f"{folder}: its {self.section} is no mapping of settings")
        shared = {"projection_dim": raw["projection_dim"]} if raw.get("projection_dim") else {}
        return {**inner, **older, **shared, "model_type": self.types[raw["model_type"]]}

    def _made(self, raw: Mapping[str, Any], where: str) -> Any:
        kind = raw.get("model_type")
        if kind is None:
            raise WeightsError(
                f"{where} names weights, which weights: scratch leaves out; for a network without "
                f"weights take {' or '.join(self.sizes)}"
            )
        made = self.configs[kind]
        with refused_as(WeightsError, f"{where}: no {kind!r} can be configured as it says"):
            return made(**harmless_config(raw, settings_of(made, self.base)))
