"""Masking of phone numbers: 8 to 15 digits (ITU-T E.164) in the forms in which they are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from multigraft_text.filters.texts import on_texts

BETWEEN = r"(?:[^\S\n\r]?[.\u2010-\u2015/-][^\S\n\r]?|[^\S\n\r])"
"""What groups of digits are parted by: a blank, or a sign with or without blanks."""
END = r"(?![\w-]|[.,:]\d)"
ALONE, NO_LIST = r"(?<![\w.+].)", r"(?<!\d[^\S\n\r].)"
"""Looking back over the first sign: it is not within a word, nor behind another number."""
GROUPS = rf"(?:{BETWEEN}?\(\d{{1,5}}\){BETWEEN}?\d{{1,14}}|{BETWEEN}\d{{1,14}})"
INTERNATIONAL = re.compile(
    rf"[(+]{ALONE}(?:(?<=\()\+\d{{1,4}}\)|(?<=\+)[^\S\n\r]?\d{{1,15}}){GROUPS}{{0,8}}(?!\w)"
    rf"|0{ALONE}{NO_LIST}0[^\S\n\r]?[1-9]\d{{0,3}}{GROUPS}{{1,8}}{END}"
)
"""Behind a plus, or two zeros in its place; groups of any length."""
SIGN = r"(?:[.\u2010-\u2015-]|[^\S\n\r])"
MORE = rf"(?:{BETWEEN}\d{{2,8}})"
NATIONAL = re.compile(
    rf"\({ALONE}{NO_LIST}\d{{1,5}}\){BETWEEN}?\d{{2,8}}{MORE}{{0,5}}{END}"
    rf"|[18]{ALONE}{BETWEEN}\(\d{{3,5}}\){BETWEEN}?\d{{2,8}}{MORE}{{1,5}}{END}"
    rf"|0{ALONE}{NO_LIST}\d{{1,5}}{MORE}{{1,5}}{END}"
    rf"|\d{ALONE}(?:(?<=1)[.-]\d)?\d\d([.-])\d{{3}}\1\d{{4}}{END}"
    rf"|\d{ALONE}{NO_LIST}(?:(?<=1){SIGN}\d)?\d\d{SIGN}\d{{3}}{SIGN}\d{{4}}{END}(?!{BETWEEN}\d)"
)
"""Behind a bracket, a zero, or in North America's groups of 3, 3 and 4."""
NUMBER = re.compile(rf"[\d(]{ALONE}(?<![<(].)\d?(?:{BETWEEN}?(?:[()]{BETWEEN}?)?\d){{6,14}}{END}")
NAMES = (
    "tel telephone téléphone telefon telefono telefone teléfono telef phone mobile mobil móvil mob "
    "cell cellphone celular handy portable fax whatsapp тел телефон 电话 電話 手机 手機 전화 携帯"
).split()
"""Words for a phone; behind one a number needs no other sign."""
LABEL = re.compile(
    rf"(?i)(?<![^\W_])(?:{'|'.join(NAMES)})(?:[^\S\n\r]{{0,2}}(?:numbers?|nr|no|n[°º])\b)?"
    r"[^\S\n\r]{0,2}[.:#=\uff1a]{1,2}[^\S\n\r]{0,3}\Z"
)
"""Such a word with a colon."""
VERB = re.compile(
    rf"(?i)\b(?:call|dial|{'|'.join(NAMES)})(?:[^\S\n\r]+(?:me|us|at|on|is|number)){{0,3}}"
    r"[^\S\n\r]{1,3}\Z"
)
"""Without one, before ten digits and more in a few groups."""
MANY, FEW, COUNT = 10, 4, re.compile(r"\d{1,3}(?:[^\S\n\r]000)+")
BEFORE = 40
"""Characters before a number that are looked at."""
YEAR = r"(?:1[5-9]|20)\d\d(?!\d)"
DAY = r"\d{1,2}"
DATED = re.compile(
    rf"{YEAR}(?:[-./\u2013]{DAY}[-./\u2013]{DAY}(?!\d)|{BETWEEN}{YEAR})"
    rf"|{DAY}[-./]{DAY}[-./]{YEAR}|\({YEAR}|{DAY}/{YEAR}|{DAY}[-.]{DAY}[-.]\d{{2}}\Z"
)
"""How dates begin, and spans of years."""
OTHER = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}|000.*|\+\d{1,3}(?:[\s.]000)+"
    r"|\+\d+\.(?:\d{1,8}|.*[^\d.].*)|(?:0\d/|\(\d{1,5}\)/).*"
)
"""Addresses of the Internet Protocol, signed numbers, pairs of coordinates, fractions."""
LENGTHS, BEHIND_ZERO = range(8, 16), 9
"""Digits of a number, and the least of one behind a zero, as numbers of standards are too."""


def phones(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Numbers of phones: behind a plus, a zero or a bracket, in groups of 3, 3 and 4 digits, or
    behind a word for them."""
    word = options["word"]

    def masked(found: re.Match[str]) -> str:
        return word if _is_phone(found[0]) else found[0]

    def named(found: re.Match[str]) -> str:
        before = found.string[max(0, found.start() - BEFORE) : found.start()]
        told = LABEL.search(before) or (_is_long(found[0]) and VERB.search(before))
        return word if told and not DATED.match(found[0]) else found[0]

    def judged(text: str) -> str:
        return NUMBER.sub(named, NATIONAL.sub(masked, INTERNATIONAL.sub(masked, text)))

    return on_texts(judged)


def _is_phone(number: str) -> bool:
    digits = sum(map(str.isdigit, number))
    if digits not in LENGTHS or DATED.match(number) or OTHER.fullmatch(number):
        return False
    if number.startswith("+"):
        return not number[1:].lstrip().startswith("0")
    return not number.startswith("0") or digits >= BEHIND_ZERO


def _is_long(number: str) -> bool:
    digits = sum(map(str.isdigit, number))
    return digits >= MANY and len(re.findall(r"\D+", number)) <= FEW and not COUNT.match(number)
