"""``python -m multigraft.cli``, where the console script is not on the path."""

from __future__ import annotations

import sys

from multigraft.cli import main

sys.exit(main())
