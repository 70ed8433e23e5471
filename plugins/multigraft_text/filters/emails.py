"""Masking of email addresses, those with letters of any script among them (RFC 5322, RFC 6531)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from multigraft_text.filters.texts import literal, on_texts

UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Letters of scripts without blanks: they touch an address though they are none of it."""
FILES = (
    "png jpe?g gif svg webp bmp tiff? ico avif heic x?html? php aspx? jsp css [mc]?[jt]sx? json "
    "xml ya?ml [ct]sv txt pdf docx? xlsx? pptx? exe dll tar t?gz"
).split()
"""Endings of files, none of them a domain: `logo@2x.png` is a picture."""
DOMAINS = (
    "中国 中國 公司 网络 網絡 网址 网站 在线 中文网 商城 商店 广告 手机 集团 我爱你 香港 台湾 台灣 "
    "新加坡 みんな コム ストア クラウド 한국 닷컴 닷넷 삼성 ไทย คอม"
).split()
"""Top-level domains in scripts without blanks, where no other rule says how far a name goes."""
LABEL = r"[^\W_](?:[\w-]{0,62}[^\W_])?\."
TOP = rf"(?:(?i:xn--[a-z0-9-]{{2,59}})|[^\W\d_{UNSPACED}]{{2,24}}(?!-?\w(?<![{UNSPACED}_])))"
EMAIL = re.compile(
    rf"(?:(?<!\w)(?<!\w[.+%&'\u2019-])|(?<=[{UNSPACED}]))"
    rf"(?:[^\W{UNSPACED}](?:[^\W{UNSPACED}]|[.+%&-]|(?<=\w)['\u2019](?=\w)){{0,63}}+"
    r'|"[^"\n@]{1,64}")[@\uff20]'
    rf"(?:(?!{LABEL}(?i:{'|'.join(FILES)})(?!\w))(?:{LABEL}){{1,8}}(?:{TOP}|{'|'.join(DOMAINS)})"
    r"|\[(?:IPv6:)?[0-9A-Fa-f.:]{3,45}\])"
    r"(?!:(?!\d+\b)(?:[~/]|[\w.-]{1,99}(?:/|\.git\b)))"
    rf"|(?<![{UNSPACED}])[{UNSPACED}]{{1,32}}[@\uff20](?:{LABEL}){{1,8}}(?:{'|'.join(DOMAINS)})"
)
"""The last two lines: neither `git@host:a/b.git`, and names wholly in such a script."""


def emails(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Addresses of mail."""
    word = literal(options["word"])
    return on_texts(lambda text: EMAIL.sub(word, text) if "@" in text or "\uff20" in text else text)
