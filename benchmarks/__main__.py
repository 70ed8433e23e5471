"""The one entry: measure cases, print a line each, keep the figures, and renew the README's
table."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, results
from benchmarks.harness import Case, Mode, measure

MODULES = (
    "start",
    "plugins",
    "text_finetune",
    "text_finetune_best",
    "entities_finetune",
    "seq2seq_finetune",
    "linear_probe_text",
    "partial",
    "choose_backbone",
    "image_finetune",
    "objects_finetune",
    "masks_finetune",
    "linear_probe_image",
    "speech_finetune",
    "recognition_finetune",
    "step_overhead",
    "hooks",
    "evaluation_memory",
    "near_duplicates",
    "predict_text",
    "predict_text_single",
    "predict_entities",
    "predict_image",
    "predict_objects",
    "predict_masks",
    "predict_audio",
    "transcribe",
    "bundle_start",
    "generate",
    "generate_llama",
    "translate_beams",
    "serve",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named cases, or all; 1 where one of them failed."""
    options = _options(arguments)
    mode: Mode = "smoke" if options.smoke else "quick" if options.quick else "full"
    _be_quiet()
    described, versions = machine.describe(), machine.versions()
    name = machine.short_name(described["processor"], described["cores"], described["generation"])
    print(
        f"{name}: {described['fp32_gflops']} GFLOPS in fp32, {described['bf16_gflops']} in bf16",
        flush=True,
    )
    failed, order = [], []
    started = time.perf_counter()
    for module in options.names or MODULES:
        with tempfile.TemporaryDirectory(prefix="multigraft-bench-") as desk:
            try:
                for case, figures in _measured(module, mode, Path(desk)):
                    order.append(case.name)
                    print(
                        f"[{time.perf_counter() - started:.0f} s] "
                        f"{results.line(case.name, figures)}",
                        flush=True,
                    )
                    if mode != "smoke":
                        _keep(name, described, case.name, {**figures, "versions": versions})
            except Exception:  # one broken case must not take the others' hours with it
                failed.append(module)
                traceback.print_exc()
    print(
        f"{time.perf_counter() - started:.0f} s"
        + (f"; failed: {', '.join(failed)}" if failed else "")
    )
    return 1 if failed else 0


def _measured(module: str, mode: Mode, desk: Path) -> Iterator[tuple[Case, dict[str, Any]]]:
    cases: list[Case] = importlib.import_module(f"benchmarks.cases.{module}").cases(mode, desk)
    for case in cases:
        if mode == "quick" and case.bar is None:
            continue
        figures = measure(case)
        yield case, {**figures, "mode": mode, "date": time.strftime("%Y-%m-%d"), "module": module}


def _keep(name: str, described: dict[str, Any], case: str, figures: dict[str, Any]) -> None:
    results.merge(results.FOLDER / f"{name}.json", described, {case: figures})
    results.rewrite_all(results.FOLDER, results.README, MODULES)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"of: {', '.join(MODULES)}; none: all"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="the cases that have a bar, on fewer rows, in one round",
    )
    parser.add_argument("--smoke", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in MODULES]:
        parser.error(f"no case named {', '.join(unknown)}; allowed: {', '.join(MODULES)}")
    return options


def _be_quiet() -> None:
    """Neither side talks, neither side looks for a hub."""
    os.environ |= {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "true",
    }
    warnings.filterwarnings("ignore")
    logging.getLogger("multigraft").setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
