"""Masks: what each takes, and what looks like it and stays."""

from __future__ import annotations

import time
from typing import Any

import pytest

from multigraft.contracts.options import defaults
from multigraft.plugins.catalog import Catalog
from multigraft_text.filters.checked_numbers import luhn, mod_97

CATALOG = Catalog()
MASKS = [each.name for each in CATALOG.filters() if "personal-data" in each.groups]


def judged(name: str, text: Any, **options: Any) -> Any:
    record = CATALOG.filter(name)
    assert record.judge is not None
    return record.judge({**defaults(record.options), **options})(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("a@b.example, c.d+e@mail.example.org.", "<EMAIL>, <EMAIL>."),
        ("用户jane@example.com联系", "用户<EMAIL>联系"),
        ("git@host.example:team/tool.git", "git@host.example:team/tool.git"),
        ("user@host and a@b", "user@host and a@b"),
        ("o'brien@a.example 'jane@a.example'", "<EMAIL> '<EMAIL>'"),
        ("jane_doe%x@a.example, _jane@a.example_", "<EMAIL>, <EMAIL>_"),
        ("--jane@a.example, ...jane@a.example--call", "--<EMAIL>, ...<EMAIL>--call"),
        ("émile@münchen.de иван@почта.рф", "<EMAIL> <EMAIL>"),
        ("用户@例子.广告, jane@a.xn--p1ai, jane\uff20a.example", "<EMAIL>, <EMAIL>, <EMAIL>"),
        ('"john smith"@a.example jane@[93.184.216.34]', "<EMAIL> <EMAIL>"),
        ("jane@a.example:8080, jane@a.example:hello", "<EMAIL>:8080, <EMAIL>:hello"),
        ("image@2x.png logo@3x.jpg 12345@N00.html", ""),
        ("react@18.2.0 @angular/core@1.2.3 host@a.example:~/file", ""),
        ("微博@人民日报.转发 @jane.doe", ""),
    ],
)
def test_emails(text: str, masked: str) -> None:
    assert judged("mask-emails", text) == (masked or text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call +44 20 7946 0958 now", "call <PHONE> now"),
        ("(030) 901820-12", "<PHONE>"),
        ("555-010-4477", "<PHONE>"),
        ("+4915112345678", "<PHONE>"),
        ("0800 123 4567", "<PHONE>"),
        ("1 800 555 0143 or 1-800-555-0143", "<PHONE> or <PHONE>"),
        ("+49 (0)30 / 123 45 67", "<PHONE>"),
        ("+33 6 12 34 56 78, +33 (0)1 23 45 67 89", "<PHONE>, <PHONE>"),
        ("+32 2 123 45 67; +61 2 1234 5678; +81 3 1234 5678", "<PHONE>; <PHONE>; <PHONE>"),
        ("+46 8 123 456 78, +31 6 12345678, +49 1 2345678", "<PHONE>, <PHONE>, <PHONE>"),
        ("0033 1 23 45 67 89, (+44) 20 7946 0958", "<PHONE>, <PHONE>"),
        ("+1–555–010–4477, +34 912 345 678, +1.5550104477", "<PHONE>, <PHONE>, <PHONE>"),
        ("030/1234567 or Tel.: 040/123-456", "<PHONE> or Tel.: <PHONE>"),
        ("06.12.34.56.78 and 8 (495) 123-45-67", "<PHONE> and <PHONE>"),
        ("Phone: 5551234567, call me at 5551234567", "Phone: <PHONE>, call me at <PHONE>"),
        ("Mobile no.: 98765 43210", "Mobile no.: <PHONE>"),
        ("030 1234567\n030 1234568", "<PHONE>\n<PHONE>"),
        ("555-010-4477 555-010-4478", "<PHONE> <PHONE>"),
        ("(1914) 1918-1939 and (2019) 575 350-354", ""),
        ("01/2020-12/2023, 01.02.2024 10.30, 01/02/2024 12", ""),
        ("+10 000 000, +1.23456789, +52.5200 13.4050", ""),
        ("order 5551234567, call 12345678, mobile: 2024-2025", ""),
        ("the cell 1 2 3 4 5 6 7 8 9 10, mobile 10 000 000 000", ""),
        ("000 000 0001, IPv4 is 010.020.030.040", ""),
        ("1 000 000 000 people", ""),
        ("from 1914-1918, on 2024-05-17 or 17.05.2024", ""),
        ("pages 100-120 1234 5678", ""),
        ("1.234.567 or 3.14159 26535", ""),
        ("192.168.100.200", ""),
        ("JIS X 0208-1990", ""),
        ("ISBN 978-3-16-148410-0", ""),
    ],
)
def test_phones(text: str, masked: str) -> None:
    assert judged("mask-phones", text) == (masked or text)


@pytest.mark.parametrize(
    ("text", "masked", "private"),
    [
        ("8.8.8.8 and 10.0.0.1", "<IP> and 10.0.0.1", False),
        ("8.8.8.8 and 10.0.0.1", "<IP> and <IP>", True),
        ("2001:4860:4860::8888", "<IP>", False),
        ("239.255.255.250, 2001:db8::1", "", False),
        ("at 12:30:45 in 1.2.3.4.5, version 1.2.3", "", False),
        ("999.1.1.1, a::b and std::vector", "", False),
        ("version 1.2.3.4, section 3.4.5.6, OID 1.3.6.1, Firefox 3.6.0.12", "", False),
        ("Chrome/91.0.44.12 Safari, 120.0.0.0", "", False),
        ("http://93.184.216.34/x, server 8.8.8.8", "http://<IP>/x, server <IP>", False),
    ],
)
def test_addresses(text: str, masked: str, private: bool) -> None:
    assert judged("mask-ips", text, private=private) == (masked or text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4111 1111 1111 1111", "<CARD>"),
        ("378282246310005.", "<CARD>."),
        ("4111 1111 1111 1112", ""),
        ("0000000000000000", ""),
        ("12345678901234567890123", ""),
        ("5555555555554444 6011111111111117 30569309025904", "<CARD> <CARD> <CARD>"),
        ("2223003122003222, 3530111333300000, 6304000000000000", "<CARD>, <CARD>, <CARD>"),
        ("4111\xa01111\xa01111\xa01111", "<CARD>"),
        ("1000000000000008, 123456789012347, 9000000000000001", ""),
    ],
)
def test_cards(text: str, masked: str) -> None:
    assert judged("mask-cards", text) == (masked or text)


def test_luhn_takes_one_last_digit_of_ten() -> None:
    for number in ("7992739871", "453201511283036"):
        right = [last for last in range(10) if luhn([*map(int, number), last])]
        assert len(right) == 1
    assert luhn([*map(int, "79927398713")])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("DE89 3704 0044 0532 0130 00 and", "<IBAN> and"),
        ("GB29NWBK60161331926819, fr14 2004 1010 0505 0001 3m02 606", "<IBAN>, <IBAN>"),
        ("AT61 1904 3002 3457 3201 DE89370400440532013000", "<IBAN> <IBAN>"),
        ("NO93 8601 1117 947; MT84MALT011000012345MTLCAST001S", "<IBAN>; <IBAN>"),
        ("DE88 3704 0044 0532 0130 00", ""),
        ("DE89 3704 0044 0532 0130 001 and XX89370400440532013000", ""),
    ],
)
def test_ibans(text: str, masked: str) -> None:
    assert judged("mask-ibans", text) == (masked or text)


def test_any_wrong_digit_of_an_iban_is_found() -> None:
    right = "DE89370400440532013000"
    for place in range(2, len(right)):
        wrong = right[:place] + str((int(right[place]) + 1) % 10) + right[place + 1 :]
        assert mod_97(wrong) != 1 == mod_97(right)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("123-45-6789, 123–45–6789.", "<SSN>, <SSN>."),
        (
            "SSN: 123456789, social security number 123 45 6789",
            "SSN: <SSN>, social security number <SSN>",
        ),
        ("000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000", ""),
        ("1-123-45-6789, 123-45-67890, 123456789", ""),
    ],
)
def test_us_social_security_numbers(text: str, masked: str) -> None:
    assert judged("mask-ssns", text) == (masked or text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("AKIA" + "ABCDEFGHIJKLMNOP", "<KEY>"),
        ("password = 'h8Kd02mZq1'", "password = '<KEY>'"),
        ("aws_secret_access_key = wJalrXUtn1EMI/K7MDENGbPxR", "aws_secret_access_key = <KEY>"),
        ("Authorization: Bearer f3a9c1d47be2604895ab3c7d", "Authorization: Bearer <KEY>"),
        ("npm_" + "abcdefghijklmnopqrstuvwxyz0123456789", "<KEY>"),
        ("sk-learn-is-a-package-for-machine-learning", ""),
        ("api_key: 9f8e7d6c5b4a3f2e1d", "api_key: <KEY>"),
        ("the password = correcthorse", ""),
        ("token of appreciation", ""),
        ("the Authen::Krb5::Admin module, secret::Vault5Key9Box2", ""),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----.",
            "<KEY>.",
        ),
        (
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOY-=\n-----END PGP PRIVATE KEY BLOCK-----.",
            "<KEY>.",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\nand so on", "<KEY>\nand so on"),
        ("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----", ""),
        ("postgres://user:h8Kd02mZq1@a.example/db", "postgres://user:<KEY>@a.example/db"),
        ("https://a.example:8080/@me and redis://user:<password>@a.example", ""),
        ("SG." + "abcdefghijklmnopqrstuv" + "." + "a1b2" * 10, "<KEY>"),
        ("ya29." + "a0AfH6SMBabcdefghijklmno", "<KEY>"),
        ("AccountKey=" + "a1B2c3D4" * 8 + "==", "AccountKey=<KEY>"),
        ("dckr_pat_" + "abcdefghijklmnopqrstuvwxyz0", "<KEY>"),
        ("pypi-" + "AgEIcHlwaS5vcmcCJGFiY2RlZmdo", "<KEY>"),
        ("my password is h8Kd02mZq1, passwd h8Kd02mZq1", "my password is <KEY>, passwd <KEY>"),
        ("password PBKDF2-HMAC-SHA256, the password is base64-encoded", ""),
    ],
)
def test_keys(text: str, masked: str) -> None:
    assert judged("mask-keys", text) == (masked or text)


@pytest.mark.parametrize("name", [*MASKS, "mask-words"])
@pytest.mark.parametrize("word", [r"\1", r"\g<0>", "\\", ""])
def test_the_word_is_written_as_it_is(name: str, word: str) -> None:
    record = CATALOG.filter(name)
    assert record.drops is not None
    usual = judged(name, record.drops(), **record.trial)
    assert judged(name, record.drops(), word=word, **record.trial) == usual.replace(
        record.options["word"].default, word
    )


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize(
    "repeated",
    [
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "sk-",
        "a.",
        "_",
        "1 2 ",
        "(12) ",
        "password = a",
        "a@b.",
    ],
)
def test_a_text_that_repeats_its_beginning_takes_no_longer(name: str, repeated: str) -> None:
    text = repeated * (60_000 // len(repeated)) + " x@ :"
    started = time.process_time()
    judged(name, text)
    assert time.process_time() - started < 2.0, "quadratic: it took minutes"
