"""Masking of numbers that check themselves: cards, bank accounts, US social security numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from multigraft_text.filters.texts import literal, on_texts

CARD = re.compile(
    r"(?<![\w.-])(?:\d{13,19}|\d{4}([ \xa0.\u2013-])\d{4}\1\d{4}\1\d{1,7}"
    r"|\d{4}([ \xa0.\u2013-])\d{6}\2\d{4,5})(?![\w-]|\.\d)"
)
"""In one, or in groups as cards have them: fours, and 4-6-5 or 4-6-4."""
ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)\d+(?<=^\d{16})"
    r"|3[47]\d{13}|3(?:0[0-5]|[689])\d{11,16}|(?:60|62|64|65|81)\d{14,17}|35(?:2[89]|[3-8])\d{12,15}"
    r"|(?:50|5[6-8]|6)\d{11,18}|220[0-4]\d{12,15}|9792\d{12}"
)
"""Prefixes and lengths of issuers (ISO/IEC 7812): Visa, Mastercard, American Express, Diners Club,
Discover, RuPay, UnionPay, JCB, Maestro, Mir, Troy."""
IBANS = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
"""Characters of each country's IBAN, as SWIFT registers them (ISO 13616)."""
IBAN = re.compile(
    r"[A-Za-z][A-Za-z](?<![A-Za-z0-9]..)\d\d(?i:"
    + "|".join(
        rf"(?<=(?:{'|'.join(countries.split())})..)(?:[ \xa0-]?[A-Z0-9]){{{length - 4}}}"
        for length, countries in IBANS.items()
    )
    + r")(?![A-Za-z0-9])"
)
SSN = re.compile(
    r"\d(?<![\w-].)\d\d(?<!000)(?<!666)(?<!9..)([-\u2010-\u2013])(?!00)\d\d\1(?!0000)\d{4}(?![\w-])"
)
"""In groups of 3, 2 and 4; those that the Social Security Administration never gives stay."""
NAMED_SSN = re.compile(
    r"(?i)(\b(?:ssn|social[ -]security(?: (?:number|no\.?))?)(?: is)?[:#=]{0,1}\s{0,3})"
    r"\d{3}[ -]?\d\d[ -]?\d{4}(?![\w-])"
)


def cards(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Numbers of cards: an issuer's prefix and length, and the right check digit (Luhn)."""
    word = options["word"]

    def masked(found: re.Match[str]) -> str:
        digits = "".join(filter(str.isdigit, found[0]))
        return word if ISSUED.fullmatch(digits) and luhn([*map(int, digits)]) else found[0]

    return on_texts(lambda text: CARD.sub(masked, text))


def ibans(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Numbers of bank accounts: a country, its length, and the right check digits."""
    word = options["word"]
    return on_texts(
        lambda text: IBAN.sub(lambda found: word if mod_97(found[0]) == 1 else found[0], text)
    )


def ssns(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """US social security numbers, which have no check digit."""
    word = options["word"]
    return on_texts(
        lambda text: SSN.sub(literal(word), NAMED_SSN.sub(lambda found: f"{found[1]}{word}", text))
    )


def luhn(digits: list[int]) -> bool:
    """Whether the last digit is the check digit of the others.

    >>> luhn([4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), luhn([1, 2, 3])
    (True, False)
    """
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def mod_97(iban: str) -> int:
    """The check of an IBAN, which is 1 where it is right (ISO/IEC 7064, MOD 97-10).

    >>> mod_97("GB82 WEST 1234 5698 7654 32"), mod_97("GB83 WEST 1234 5698 7654 32")
    (1, 2)
    """
    signs = "".join(filter(str.isalnum, iban)).upper()
    return int("".join(str(int(sign, 36)) for sign in signs[4:] + signs[:4])) % 97
