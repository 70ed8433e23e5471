"""Hook tracing: who answers which hook, and how long it takes."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import pluggy

from multigraft.system.environment import TRACE

log = logging.getLogger("multigraft")
Tell = Callable[[str, str, float, bool], None]
"""(hook, plugin, seconds, whether it answered)"""


def chosen_trace() -> Tell | None:
    """The function that logs a hook call, where the environment asks for it."""
    return _log if os.environ.get(TRACE) else None


def _log(hook: str, plugin: str, seconds: float, answered: bool) -> None:
    log.info("%s: %s, %.1f ms%s", hook, plugin, 1000 * seconds, ", answered" if answered else "")


def trace_plugin(manager: pluggy.PluginManager, plugin: object, tell: Tell) -> None:
    """Have ``tell`` called after every hook call that reaches this plugin."""
    for caller in manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            if implementation.plugin is plugin and not (
                implementation.wrapper or implementation.hookwrapper
            ):
                implementation.function = _told(
                    implementation.function, caller.name, implementation.plugin_name, tell
                )


def _told(function: Callable[..., Any], hook: str, plugin: str, tell: Tell) -> Callable[..., Any]:
    @wraps(function)
    def timed(*arguments: Any) -> Any:
        began = time.perf_counter()
        answer = function(*arguments)
        tell(hook, plugin, time.perf_counter() - began, answer is not None)
        return answer

    return timed
