"""What the processor says of itself; no torch needed."""

from __future__ import annotations

from pathlib import Path


def cpu_flags() -> set[str]:
    """The processor's instruction sets as Linux names them; empty where it does not say."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    return set(line.partition(":")[2].split())
