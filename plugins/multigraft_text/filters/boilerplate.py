"""Boilerplate: markup, and the lines of a page that are not its text."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from typing import Any

from multigraft_text.filters.texts import on_texts

HIDDEN = re.compile(r"<(script|style|head|noscript)\b[^>]{0,2000}>.*?</\1\s*>", re.I | re.S)
BREAKS = re.compile(
    r"</?(?:p|div|br|li|ul|ol|tr|table|h[1-6]|section|article)\b[^<>]{0,2000}>", re.I
)
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
TAG = re.compile(rf"</?(?:{'|'.join(NAMES)})(?:\s[^<>]{{0,2000}})?/?>|<!--.*?-->", re.I | re.S)
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
        shown = HIDDEN.sub(" ", text)
        shown = TAG.sub("", BREAKS.sub("\n", shown))
        return html.unescape(shown).strip() if shown != text or "&" in text else text

    return on_texts(plain)


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
