"""Records of the filters that mask: personal data, secrets, and words of a list."""

from __future__ import annotations

from collections.abc import Mapping

from multigraft import Filter, Lazy, Option

PLAIN = "Call the office on weekdays; version 1.2.3 of 2024-05-17 costs 1,299.00."


def _mask(
    name: str, attribute: str, tells: str, *, word: str, drops: str, source: str, **more: Option
) -> Filter:
    return Filter(
        name=f"mask-{name}",
        modality="text",
        help=tells,
        source=source,
        judge=Lazy(f"multigraft_text.filters.{attribute}"),
        options={"word": Option(default=word, help="what is written instead"), **more},
        groups=("personal-data",),
        keeps=lambda: PLAIN,
        drops=lambda: drops,
    )


LISTED: Mapping[str, Option] = {
    "words": Option(default=None, types=(list, str), help="the words, as [damn, heck]"),
    "file": Option(default=None, types=(str,), help="a file of words, one a line, # before notes"),
    "word": Option(default="***", help="what is written instead"),
    "most": Option(
        default=None, types=(int,), low=0, help="drop a text with more of them; unset: none"
    ),
}
MASKING = (
    _mask(
        "keys",
        "keys:keys",
        "Mask private keys, tokens in the forms of known services, passwords in addresses, and "
        "what is as good as random behind the name of a password or a key; secrets of plain "
        "words and tokens of other services stay.",
        word="<KEY>",
        drops="password = 'h8Kd02mZq1'",
        source="own; forms as the services document them; Shannon entropy of 3 bits a sign",
    ),
    _mask(
        "emails",
        "emails:emails",
        "Mask addresses of mail, in any script; those written out, as name (at) host, and "
        "`user@host:path` of programs stay.",
        word="<EMAIL>",
        drops="Write to jane.doe+news@mail.example.org today.",
        source="own; a subset of RFC 5322 and RFC 6531",
    ),
    _mask(
        "cards",
        "checked_numbers:cards",
        "Mask numbers of 13 to 19 digits with the prefix, the length and the check digit of a "
        "card; of other numbers with such a prefix every tenth is masked too.",
        word="<CARD>",
        drops="Paid with 4111 1111 1111 1111.",
        source="ISO/IEC 7812-1, annex B (Luhn); prefixes as the issuers publish them",
    ),
    _mask(
        "ibans",
        "checked_numbers:ibans",
        "Mask IBANs with the length of their country and the right check digits; accounts written "
        "otherwise stay.",
        word="<IBAN>",
        drops="Pay to DE89 3704 0044 0532 0130 00 by Friday.",
        source="ISO 13616; lengths from SWIFT's registry; ISO/IEC 7064 (MOD 97-10)",
    ),
    _mask(
        "ssns",
        "checked_numbers:ssns",
        "Mask US social security numbers, as 123-45-6789 or behind their name; they have no check "
        "digit, and the identity numbers of other countries stay.",
        word="<SSN>",
        drops="Her SSN: 123-45-6789.",
        source="own; which are given: US Social Security Administration, POMS RM 10201.035",
    ),
    _mask(
        "ips",
        "ip_addresses:addresses",
        "Mask addresses of IPv4 and IPv6 that name a machine of the Internet; four numbers behind "
        "the word version or section, or behind a product's name, as in Chrome/91.0.4.7, stay, and "
        "without such a sign they are masked.",
        word="<IP>",
        drops="The request came from 93.184.216.34 and 2606:2800:220:1:248:1893:25c8:1946.",
        source="RFC 791, RFC 4291; which are private: RFC 6890",
        private=Option(default=False, help="mask private and reserved addresses too"),
    ),
    _mask(
        "phones",
        "phones:phones",
        "Mask numbers of 8 to 15 digits behind a plus, a zero or a bracket, in groups of 3, 3 and "
        "4, or behind a word as tel:; local numbers without such a sign, and those in "
        "letters, stay.",
        word="<PHONE>",
        drops="Call +44 20 7946 0958 or (555) 010-4477.",
        source="own; lengths from ITU-T E.164",
    ),
    Filter(
        name="mask-words",
        modality="text",
        help="Mask the words of a list, whatever their case, or drop texts with more than some of "
        "them.",
        source="own; C4 drops pages with any word of such a list (most: 0)",
        judge=Lazy("multigraft_text.filters.word_list:judge_of_words"),
        options=LISTED,
        keeps=lambda: PLAIN,
        drops=lambda: "What the heck is this?",
        trial={"words": ["heck"]},
    ),
)
