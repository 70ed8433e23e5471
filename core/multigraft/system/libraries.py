"""Keep libraries from reporting to their makers and from making folders about the disk.

They are told by environment variables, which most read once, at their import. No import of ours
sets any: a catalog does before it loads plugins, an engine before it trains, and `onnxruntime` is
opened here alone.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any

from multigraft.system.cache import cache_folder, cache_limit, make_folder

log = logging.getLogger("multigraft")

ONNXRUNTIME = "ORT_DISABLE_TELEMETRY"
SWITCHES: Mapping[str, str] = {
    ONNXRUNTIME: "1",  # from 1.29: look-ups, a device id, a database in the person's cache
    "HF_HUB_DISABLE_TELEMETRY": "1",  # and what transformers and datasets say by it
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Variable -> the value that switches reports off; what the environment says already stays."""
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
"""Variables by which a person says that nothing is to be fetched, whatever fetches it."""
COMPILERS = "TORCHINDUCTOR_CACHE_DIR"
COMPILED = "compiled"
"""The kind of the cache in which torch's compilers keep what they made."""


def switch_off_reports() -> None:
    """Switch off what libraries report, in this process and in those it starts."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    # tqdm, where a notebook has no ipywidgets for its bars, of which none is shown
    warnings.filterwarnings("ignore", message="IProgress not found")


def offline() -> str | None:
    """The variable that says that nothing is to be fetched; None where none does."""
    said = {name: os.environ.get(name, "").strip().lower() for name in OFFLINE}
    return next((name for name, word in said.items() if word in ("1", "on", "yes", "true")), None)


def onnxruntime(part: str = "") -> Any:
    """Import onnxruntime or a ``part`` of it, as ``quantization``, with its telemetry off.

    Where it was imported before, it may already report, which nothing stops any more: that is told.
    """
    if "onnxruntime" in sys.modules and ONNXRUNTIME not in os.environ:
        log.warning(
            "onnxruntime was imported before multigraft, and may report to its makers until this "
            "process ends; set %s=1 before it is imported",
            ONNXRUNTIME,
        )
    switch_off_reports()
    return importlib.import_module(f"onnxruntime.{part}" if part else "onnxruntime")


def house_compilers() -> None:
    """Give torch's compilers a folder in the machine's cache, which its owner alone can write.

    Their own choice, made as soon as an optimizer is, is one that anybody can make first:
    ``torchinductor_`` and the person's name in the folder of temporary files. It stays so where
    there is no cache.
    """
    if COMPILERS in os.environ or not cache_limit():
        return
    folder = cache_folder() / COMPILED
    try:
        make_folder(folder)
    except OSError:
        return
    os.environ[COMPILERS] = str(folder)
