"""Boilerplate: markup, and the lines of a page that are not its text."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from multigraft_text.filters.texts import on_texts

HIDDEN = re.compile(r"<(script|style|head|noscript)\b[^>]{0,2000}>|<!--", re.I)
"""What goes with all that it holds."""
NAMES = (
    "a abbr acronym address area article aside audio b base bdi bdo big blink blockquote body br "
    "button canvas caption center cite code col colgroup data datalist dd del details dfn dialog "
    "dir div dl dt em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 "
    "h5 h6 head header hr html i iframe img input ins kbd label legend li link main map mark menu "
    "meta meter nav noscript object ol optgroup option output p param picture pre progress q rp rt "
    "ruby s samp script section select small source span strike strong style sub summary sup svg "
    "table tbody td template textarea tfoot th thead time title tr track tt u ul var video wbr"
).split()
"""Elements of HTML; what else stands in angle brackets, as an address or a type, is text."""
BLOCKS = "p div br li ul ol tr table h[1-6] section article".split()
"""Those that begin on a line of their own."""
BOOLEAN = (
    "allowfullscreen async autofocus autoplay checked compact controls default defer disabled "
    "hidden ismap itemscope loop multiple muted nohref noshade novalidate nowrap open playsinline "
    "readonly required reversed selected"
).split()
"""Attributes without a value (HTML Living Standard)."""


def _tag(names: Sequence[str]) -> re.Pattern[str]:
    """Tags of these names: bare, or with an attribute, as `a<b && c>d` has none. Names of one
    letter, which code has too, need one with a value, or one of HTML's."""
    value = r"\s?=\s?(?:[\"'][^<>]{0,2000}|[^\s\"'<>=][^<>]{0,2000})"
    sure = rf"[\w:@.*#()\[\]-]{{1,64}}{value}|(?:{'|'.join(BOOLEAN)}|(?:data|v|ng|x)-[\w:.-]+)"
    any_name = r"[A-Za-z_:@#][\w:.-]{0,64}"
    one, more = (
        "|".join(name for name in names if (len(name) < 2) is short) for short in (True, False)
    )
    opening = (
        rf"(?:{one})(?:\s{{1,400}}+(?:{sure})(?![\w-])[^<>]{{0,2000}})?"
        rf"|(?:{more})(?:\s{{1,400}}+(?:{sure}|{any_name})(?![\w-])[^<>]{{0,2000}})?"
    )
    return re.compile(rf"<(?:/(?:{'|'.join(names)})|{opening})\s{{0,400}}+/?>", re.I)


TAG, BREAKS = _tag(NAMES), _tag(BLOCKS)
PHRASES = (
    "all rights reserved, copyright ©, © copyright, privacy policy, cookie policy, terms of use, "
    "terms of service, terms and conditions, uses cookies, use of cookies, use cookies, "
    "accept cookies, skip to content, skip to main content, sign in, log in, log out, sign up, "
    "subscribe to our newsletter, share on facebook, share on twitter, share this, tweet this, "
    "back to top, click here, read more, previous post, next post, leave a comment, "
    "powered by wordpress, javascript is disabled, enable javascript, add to cart, "
    "follow us on, contact us, site map, sitemap"
).split(", ")
PHRASE = re.compile("|".join(rf"(?<!\w){re.escape(phrase)}(?!\w)" for phrase in PHRASES), re.I)


def without_markup(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Tags of HTML are taken out, entities become their signs; scripts and styles go whole."""
    del options

    def plain(text: str) -> str:
        if "<" not in text and "&" not in text:
            return text
        shown = _shown(text)
        shown = TAG.sub("", BREAKS.sub("\n", shown))
        return html.unescape(shown).strip() if shown != text or "&" in text else text

    return on_texts(plain)


def _shown(text: str) -> str:
    """A text without comments, scripts and styles; of what is never closed the tag alone goes."""
    parts, end, unclosed = [], 0, set[str]()
    for found in HIDDEN.finditer(text):
        name = (found[1] or "").lower()
        if found.start() < end or name in unclosed:
            continue
        closing = re.compile(rf"</{name}\s*>" if name else "-->", re.I).search(text, found.end())
        if closing is None:
            unclosed.add(name)
            continue
        parts += [text[end : found.start()], " " if name else ""]
        end = closing.end()
    return "".join([*parts, text[end:]])


def without_boilerplate(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Short lines with a phrase of menus, footers and consent are taken out."""
    longest = options["words"]

    def cleaned(text: str) -> str:
        if PHRASE.search(text) is None:
            return text
        lines = text.split("\n")
        return "\n".join(
            line for line in lines if len(line.split()) > longest or PHRASE.search(line) is None
        ).strip()

    return on_texts(cleaned)
