"""Notify the plugins that watch a run; one that raises is switched off, not the run."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from pluggy import PluginManager

from multigraft.errors import ANY
from multigraft.plugins.rules import MOMENTS

log = logging.getLogger("multigraft")
FOLDER = "plugins"


class Observers:
    """Tells moments to plugins one by one.

    pluggy stops at the first observer that raises, and the others would miss the moment.
    """

    def __init__(self, manager: PluginManager, folder: Path, *, strict: bool = False) -> None:
        """``folder`` is the run's; with ``strict`` what an observer raises ends the run."""
        self.folder = folder
        self.strict = strict
        self.off: dict[str, str] = {}
        """Observers that were switched off, with what they raised."""
        self._calls = {moment: _calls(manager, moment) for moment in MOMENTS}

    def tell(self, moment: str, **facts: Any) -> None:
        """Call every observer of a moment that is on."""
        for name, call in self._calls[moment]:
            if name in self.off:
                continue
            try:
                call(facts)
            except ANY as error:
                if self.strict:
                    raise
                self._switch_off(name, moment, error)

    def _switch_off(self, name: str, moment: str, error: BaseException) -> None:
        self.off[name] = f"{type(error).__name__}: {error}"
        path = self.folder / FOLDER / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        log.warning(
            "plugin %r is off for this run: %s in %s; see %s", name, self.off[name], moment, path
        )


def _calls(
    manager: PluginManager, moment: str
) -> list[tuple[str, Callable[[Mapping[str, Any]], Any]]]:
    """Each observer's name and a function of a moment's facts, in the order of pluggy."""
    return [
        (implementation.plugin_name, _caller(implementation.function, implementation.argnames))
        for implementation in reversed(getattr(manager.hook, moment).get_hookimpls())
    ]


def _caller(
    function: Callable[..., Any], names: tuple[str, ...]
) -> Callable[[Mapping[str, Any]], Any]:
    """A function of all facts; called at every step, so it looks up several at once."""
    if not names:
        return lambda facts: function()
    pick = itemgetter(*names)
    if len(names) == 1:
        return lambda facts: function(pick(facts))
    return lambda facts: function(*pick(facts))
