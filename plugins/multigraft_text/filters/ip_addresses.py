"""Masking of IPv4 and IPv6 addresses, and not of versions and sections that look like them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from multigraft_text.filters.texts import on_texts

IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*::?[0-9A-Fa-f:]*)[0-9A-Fa-f:]{3,39}(?![\w:])")
UNICAST = ipaddress.ip_network("2000::/3")
"""Of IPv6 what is given to machines of the Internet (RFC 4291); `a::b` in a program is no such."""
NUMBERED = re.compile(
    r"(?i)(?:(?<![^\W_])(?:versions?|ver|v|rev|revision|release|build|firmware|driver|sections?|sec"
    r"|chapter|clause|paragraph|figure|table|oid|firefox|chrome|chromium|safari|opera|edge"
    r"|thunderbird|internet explorer)[\s.:=#]{1,3}|§\s?|(?<![\w./])[a-z][\w-]*/)\Z"
)
"""What stands before four numbers that are no address: `version 1.2.3.4`, `Chrome/91.0.4472.1`."""
BEFORE = 24
"""Characters before them that are looked at."""


def addresses(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Addresses of the Internet Protocol, versions 4 and 6; those that name no machine stay."""
    word, every = options["word"], options["private"]

    def masked(found: re.Match[str]) -> str:
        try:
            address = ipaddress.ip_address(found[0])
        except ValueError:
            return found[0]
        public = _public(address, found[0])
        numbered = NUMBERED.search(found.string[max(0, found.start() - BEFORE) : found.start()])
        return word if (every or public) and not numbered else found[0]

    def judged(text: str) -> str:
        return IPV6.sub(masked, IPV4.sub(masked, text)) if ":" in text or "." in text else text

    return on_texts(judged)


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address, text: str) -> bool:
    if not address.is_global or address.is_multicast:
        return False
    return address in UNICAST if address.version == 6 else not text.endswith(".0.0.0")
