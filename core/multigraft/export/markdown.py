"""Escape strangers' words for Markdown: shown as they are, never as markup, links or HTML."""

from __future__ import annotations

import json
import re

from multigraft.system.terminal import harmless

BREAKS = re.compile(r"[\n\t\x85\u2028\u2029]")
MARKUP = re.compile(r"[\\`*\[\]<>|~#&!$@]|(?<!\w)_|_(?!\w)|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""What begins emphasis, code, HTML, an entity, a link (a bare address too), a heading or a cell."""
PLAIN = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)


def prose(text: str) -> str:
    r"""Words in a line of text.

    >>> prose("a_b [x](http://y) <i>"), prose("two\n# lines")
    ('a_b \\[x\\](http\\://y) \\<i\\>', 'two \\# lines')
    """
    line = " ".join(harmless(text).split())
    return MARKUP.sub(lambda sign: f"\\{sign[0]}", line)


def code(text: str) -> str:
    r"""Words in a code span, whose fence is longer than any run of backticks in them.

    >>> code("good"), code("a`b\n# c")
    ('`good`', '``a`b\\n# c``')
    """
    line = BREAKS.sub(lambda sign: ascii(sign[0])[1:-1], harmless(text))
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    edge = " " if line.strip() != line or line[:1] == "`" or line[-1:] == "`" or not line else ""
    return f"{fence}{edge}{line}{edge}{fence}"


def cell(text: str) -> str:
    """A code span in a table, where a bar would end the cell even inside it."""
    return code(text).replace("|", "\\|")


def scalar(text: str) -> str:
    """A word in YAML's front matter: quoted where it is not plain."""
    return text if PLAIN.fullmatch(text) else json.dumps(text)
