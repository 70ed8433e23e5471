"""Masking of secrets: private keys, tokens of known services, and what stands behind a password."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from multigraft_text.filters.texts import literal, on_texts

HEAD = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
PRIVATE = re.compile(
    rf"-----BEGIN {HEAD}(?:(?:[^-]|-(?!----)){{0,32000}}-----END {HEAD}"
    r"|(?:(?:\s|\\[nr]){1,4}[A-Za-z0-9+/=]{16,200})*(?:\s{1,4}[A-Za-z0-9+/=]{1,15}\Z)?)"
)
"""A key in PEM (RFC 7468) or of OpenPGP; of one without an end what is written as one (base64)."""
TOKENS = (
    r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    r"gh[pousr]_[A-Za-z0-9]{36,255}",
    r"github_pat_[A-Za-z0-9_]{22,255}",
    r"gl(?:pat|dt|rt|cbt|ptt|soat)-[A-Za-z0-9_-]{20,}",
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"xapp-\d-[A-Za-z0-9-]{20,}",
    r"(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,}",
    r"whsec_[A-Za-z0-9+/=]{24,}",
    r"sk-(?=[A-Za-z_-]{0,99}\d)[A-Za-z0-9_-]{20,}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgE[A-Za-z0-9_-]{20,}",
    r"rubygems_[0-9a-f]{48}",
    r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}",
    r"hf_[A-Za-z0-9]{30,}",
    r"AIza[A-Za-z0-9_-]{35}",
    r"ya29\.[A-Za-z0-9_-]{20,}",
    r"GOCSPX-[A-Za-z0-9_-]{20,}",
    r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}",
    r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}",
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    r"do[opr]_v1_[0-9a-f]{64}",
    r"hv[sb]\.[A-Za-z0-9_-]{24,}",
    r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{58}",
    r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    r"\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])",
)
"""Of AWS, GitHub, GitLab, Slack, Stripe, OpenAI and Anthropic, npm, PyPI, RubyGems, Docker, Hugging
Face, Google, SendGrid, Brevo, Shopify, DigitalOcean, Vault, Grafana, age, JWT, Telegram."""
TOKEN = re.compile(rf"(?<![A-Za-z0-9_-])(?:{'|'.join(TOKENS)})|{PRIVATE.pattern}")
NAMED = re.compile(
    r"(?i)((?:(?:api|access|account|secret|private|auth|shared|storage|signing"
    r"|encryption|master)[_-]?key|secret|token|passw(?:or)?[dt]|passphrase|pwd)[\"']?\s{0,3}"
    r"(?:=>|:=|==?|:(?!:))\s{0,3})([\"']?)([^\s\"',;]{8,200})\2"
)
SPOKEN = re.compile(
    r"(?i)(\b(?:passw(?:or)?[dt]|passphrase|passcode|pwd)\s{1,3}(?:(?:is|was|ist)\s{1,3})?)([\"']?)"
    r"([A-Za-z0-9!#$%&*+=?@^_~-]{8,64})\2(?![\w(/])"
)
"""A password in a sentence: `my password is h8Kd02mZq1`."""
IN_ADDRESS = re.compile(
    r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,64}:)()([^\s@/<>{}$*]{4,200})(?=@)"
)
"""The password in an address: `postgres://user:h8Kd02mZq1@host/db` (RFC 3986, section 3.2.1)."""
BEARER = re.compile(r"(?i)(\bbearer\s{1,3})()([A-Za-z0-9._~+/-]{16,400}=*)")
"""A token behind the name of its scheme (RFC 6750)."""
BITS = 3.0
"""Bits a sign from which what stands behind ``key =`` is a secret and no word (Shannon entropy)."""
CHANGES = 4
"""Changes between letters and digits from which a word of a sentence is one: `PBKDF2` has 1."""


def keys(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Keys and secrets: forms that services use, private keys, and what is as good as random behind
    the name of one."""
    word = options["word"]

    def where(random: Callable[[str], bool]) -> Callable[[re.Match[str]], str]:
        return lambda found: (
            f"{found[1]}{found[2]}{word}{found[2]}" if random(found[3]) else found[0]
        )

    each = (
        (TOKEN, literal(word)),
        (IN_ADDRESS, where(lambda text: _bits(text) >= BITS or _has_digit(text))),
        (NAMED, where(lambda text: _bits(text) >= BITS and _has_digit(text))),
        (BEARER, where(lambda text: _bits(text) >= BITS and _has_digit(text))),
        (SPOKEN, where(lambda text: _bits(text) >= BITS and _changes(text) >= CHANGES)),
    )

    def judged(text: str) -> str:
        for pattern, masked in each:
            text = pattern.sub(masked, text)
        return text

    return on_texts(judged)


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _changes(text: str) -> int:
    """How often a letter follows a digit, or a digit a letter."""
    return sum(one != other for one, other in pairwise(map(str.isdigit, filter(str.isalnum, text))))


def _bits(text: str) -> float:
    """Shannon's entropy of a text's signs, in bits a sign."""
    total = len(text)
    return -sum(count / total * math.log2(count / total) for count in Counter(text).values())
