"""Personal data: what looks like an address, a number or a key is replaced by a word for it."""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from multigraft_text.filters.texts import on_texts

Judge = Callable[[Any], Any]
UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Letters that touch an address though they are none of it."""
EMAIL = re.compile(
    rf"(?:(?<![\w.+-])|(?<=[{UNSPACED}]))[A-Za-z0-9][\w.+-]{{0,63}}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?\.){1,8}"
    rf"[A-Za-z]{{2,24}}(?:(?![\w-])|(?=[{UNSPACED}]))(?!:[\w~/])"
)
PHONE = re.compile(
    r"(?<![\w.+])(?<!\d\s)(?:\+\d{1,3}[\s.-]?|00\d{1,3}[\s.-]|1[\s.-])?(?:\(\d{1,5}\)[\s.-]?)?"
    r"\d{2,8}(?:[\s.-]\d{2,8}){1,5}(?![\w-]|[.,:]\d)|(?<![\w.])\+\d{8,15}(?!\w)"
    r"|(?<![\w.+])\+\d{1,3}\s?(?:\(\d{1,5}\)\s?)?\d{2,5}\s?/\s?\d{2,8}(?:[\s-]\d{2,8}){0,3}(?!\w)"
)
DATE = re.compile(r"\d{4}[-.]\d{1,2}[-.]\d{1,2}|\d{1,2}[-.]\d{1,2}[-.]\d{2,4}")
NORTH_AMERICAN = re.compile(r"(?:1[\s.-])?\d{3}[\s.-]\d{3}[\s.-]\d{4}")
BEGINS = ("+", "(", "0")
"""How other numbers of phones begin: spans of years and measures do not."""
PHONE_DIGITS, NATIONAL = range(8, 16), 9
"""How many digits a number of a phone has: at most 15 (ITU-T E.164), at least 8, and 9 where it
begins with a zero, as numbers of standards do too."""
IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*::?[0-9A-Fa-f:]*)[0-9A-Fa-f:]{3,39}(?![\w:])")
UNICAST = ipaddress.ip_network("2000::/3")
"""Of IPv6 what is given to machines of the Internet (RFC 4291); `a::b` in a program is no such."""
CARD = re.compile(
    r"(?<![\w.-])(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5})"
    r"(?![\w-]|\.\d)"
)
"""In one, or in groups as cards have them: fours, and 4-6-5 or 4-6-4."""
KEYS = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.{0,8000}?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{36,255}"
    r"|(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{22,255}"
    r"|(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,}"
    r"|(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|(?<![A-Za-z0-9])(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|(?<![A-Za-z0-9])sk-(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}"
    r"|(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}"
    r"|(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}"
    r"|(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    re.S,
)
NAMED_SECRET = re.compile(
    r"(?i)(\b[\w-]{0,20}(?:(?:api|access|secret|private|auth)[_-]?key|secret|token|passw(?:or)?[dt]"
    r"|pwd)[\"']?\s{0,3}(?:=>|:=|==?|:(?!:))\s{0,3})([\"']?)([^\s\"',;]{8,200})\2"
)
BEARER = re.compile(r"(?i)(\bbearer\s{1,3})()([A-Za-z0-9._~+/-]{16,400}=*)")
"""A token behind the name of its scheme (RFC 6750)."""
BITS = 3.0
"""Bits a sign from which what stands behind ``key =`` is a secret and no word (Shannon entropy)."""


def emails(options: Mapping[str, Any]) -> Judge:
    """Addresses of mail."""
    word = options["word"]
    return on_texts(lambda text: EMAIL.sub(word, text) if "@" in text else text)


def phones(options: Mapping[str, Any]) -> Judge:
    """Numbers of phones: behind a plus, a zero or a bracket, or in groups of 3, 3 and 4 digits."""
    word = options["word"]

    def masked(found: re.Match[str]) -> str:
        number = found[0]
        digits = sum(map(str.isdigit, number))
        long = not number.startswith("0") or digits >= NATIONAL
        form = (number.startswith(BEGINS) and long) or NORTH_AMERICAN.fullmatch(number)
        return word if form and digits in PHONE_DIGITS and not DATE.fullmatch(number) else number

    return on_texts(lambda text: PHONE.sub(masked, text))


def addresses(options: Mapping[str, Any]) -> Judge:
    """Addresses of the Internet Protocol, versions 4 and 6; those that name no machine stay."""
    word, every = options["word"], options["private"]

    def masked(found: re.Match[str]) -> str:
        try:
            address = ipaddress.ip_address(found[0])
        except ValueError:
            return found[0]
        public = address.is_global if address.version == 4 else address in UNICAST
        return word if every or public else found[0]

    def judged(text: str) -> str:
        return IPV6.sub(masked, IPV4.sub(masked, text)) if ":" in text or "." in text else text

    return on_texts(judged)


def cards(options: Mapping[str, Any]) -> Judge:
    """Numbers of cards: 13 to 19 digits whose check digit is right (Luhn, ISO/IEC 7812-1)."""
    word = options["word"]

    def masked(found: re.Match[str]) -> str:
        digits = [int(sign) for sign in found[0] if sign.isdigit()]
        return word if luhn(digits) and len(set(digits)) > 1 else found[0]

    return on_texts(lambda text: CARD.sub(masked, text))


def luhn(digits: list[int]) -> bool:
    """Whether the last digit is the check digit of the others.

    >>> luhn([4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), luhn([1, 2, 3])
    (True, False)
    """
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def keys(options: Mapping[str, Any]) -> Judge:
    """Keys and secrets: forms that services use, private keys, and what is as good as random behind
    the name of one."""
    word = options["word"]

    def named(found: re.Match[str]) -> str:
        random = _bits(found[3]) >= BITS and any(map(str.isdigit, found[3]))
        return f"{found[1]}{found[2]}{word}{found[2]}" if random else found[0]

    return on_texts(lambda text: BEARER.sub(named, NAMED_SECRET.sub(named, KEYS.sub(word, text))))


def _bits(text: str) -> float:
    """Shannon's entropy of a text's signs, in bits a sign."""
    total = len(text)
    return -sum(count / total * math.log2(count / total) for count in Counter(text).values())
