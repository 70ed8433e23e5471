"""Types of data: one row or batch as named arrays, and descriptions that survive JSON."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

Arrays = dict[str, np.ndarray]
"""One row, or one batch, as named arrays."""


Spec = dict[str, Any]
"""A description that survives JSON. A key that ends in ``.json`` is kept as a file of that name."""


Answer = dict[str, Any]
"""What one prediction says, ready for JSON."""


Stage = Literal["pretrain", "finetune"]


Strength = Literal["light", "strong"]
"""Of augmentation."""


Quantization = Literal["dynamic", "static", "none"]
