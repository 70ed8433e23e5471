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
        judge=Lazy(f"multigraft_text.filters.personal_data:{attribute}"),
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
        "keys",
        "Mask private keys, tokens in the forms of known services, and what is as good as random "
        "behind the name of a password or a key.",
        word="<KEY>",
        drops="password = 'h8Kd02mZq1'",
        source="own; forms as the services document them; Shannon entropy of 3 bits a sign",
    ),
    _mask(
        "emails",
        "emails",
        "Mask addresses of mail.",
        word="<EMAIL>",
        drops="Write to jane.doe+news@mail.example.org today.",
        source="own; a subset of RFC 5322",
    ),
    _mask(
        "cards",
        "cards",
        "Mask numbers of 13 to 19 digits whose check digit is that of a card.",
        word="<CARD>",
        drops="Paid with 4111 1111 1111 1111.",
        source="ISO/IEC 7812-1, annex B (Luhn)",
    ),
    _mask(
        "ips",
        "addresses",
        "Mask addresses of IPv4 and IPv6 that name a machine of the Internet.",
        word="<IP>",
        drops="The request came from 93.184.216.34 and 2606:2800:220:1:248:1893:25c8:1946.",
        source="RFC 791, RFC 4291; which are private: RFC 6890",
        private=Option(default=False, help="mask private and reserved addresses too"),
    ),
    _mask(
        "phones",
        "phones",
        "Mask numbers of 8 to 15 digits that are written as those of phones.",
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
