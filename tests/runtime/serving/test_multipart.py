"""A form's parts are all of them, or the form is refused."""

from __future__ import annotations

import pytest

from helpers.toy_server import model, serving
from multigraft.runtime.serving.faults import Refusal
from multigraft.runtime.serving.multipart import parse_form

KIND = "multipart/form-data; boundary=cut"


def part(
    content: str = "1 2", disposition: str = 'form-data; name="inputs"', head: str = ""
) -> str:
    return f"--cut\r\nContent-Disposition: {disposition}\r\n{head}\r\n{content}\r\n"


END = "--cut--\r\n"
TWO = part() + part("3")


@pytest.mark.parametrize(
    "body", [TWO + END, TWO + "--cut--", TWO + END + "\r\n \n", TWO.replace("3", "x--cut--") + END]
)
def test_all_parts_are_found(body: str) -> None:
    found = parse_form(body.encode(), KIND, most=9)
    assert [each.name for each in found] == ["inputs", "inputs"]
    assert found[0].content == b"1 2"


def test_a_file_s_bytes_are_as_they_were_sent() -> None:
    content = bytes(range(256)) + b"\r\n--cu\r\n--\r"
    body = (
        part("\0", 'form-data; name="x"; filename="a.png"').encode().replace(b"\0", content)
        + END.encode()
    )
    (found,) = parse_form(body, 'multipart/form-data; boundary="cut"', most=9)
    assert found.is_file and found.content == content


WRONG = {
    "no closing boundary": TWO,
    "half a closing boundary": TWO + "--cut-",
    "cut off in a part": TWO[:-4],
    "cut off in a head": TWO + "--cut\r\nContent-Dis",
    "cut off after a head": TWO + part().split("1 2")[0],
    "nothing": "",
    "a part after the end": TWO + END + part(),
    "a form after the end": TWO + END + part() + END,
    "a boundary twice": TWO + "--cut\r\n" + END,
    "another boundary": (TWO + END).replace("cut", "tuc"),
    "text before it": "hello\r\n" + TWO + END,
    "no name": part(disposition="form-data") + END,
    "no disposition": "--cut\r\nContent-Type: text/plain\r\n\r\nx\r\n" + END,
    "another disposition": part(disposition='attachment; name="inputs"') + END,
    "two dispositions": part(head='Content-Disposition: form-data; name="top_k"\r\n') + END,
    "an encoding": part(head="Content-Transfer-Encoding: base64\r\n") + END,
    "many headers": part(head="".join(f"X-{n}: y\r\n" for n in range(20))) + END,
}


@pytest.mark.parametrize("what", WRONG)
def test_a_form_that_is_not_whole_is_refused(what: str) -> None:
    with pytest.raises(Refusal, match="the form is broken") as caught:
        parse_form(WRONG[what].encode(), KIND, most=9)
    assert caught.value.status == 400


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_without_a_boundary_is_refused(kind: str) -> None:
    with pytest.raises(Refusal, match="no boundary"):
        parse_form((TWO + END).encode(), kind, most=9)


def test_another_charset_is_refused() -> None:
    for body, kind in (
        (part(head="Content-Type: text/plain; charset=utf-16\r\n") + END, KIND),
        (TWO + END, f"{KIND}; charset=latin-1"),
    ):
        with pytest.raises(Refusal, match="send UTF-8"):
            parse_form(body.encode(), kind, most=9)


def test_a_server_answers_every_item_or_none() -> None:
    with serving(model("numbers")) as served:

        def said(body: bytes, kind: str = KIND) -> int:
            return served.client.post(
                "/predict", content=body, headers={"content-type": kind}
            ).status_code

        assert said((TWO + END).encode()) == 200
        assert said(TWO.encode()) == 400
        assert said((part("1", 'form-data; name="top_k"') * 2 + TWO + END).encode()) == 422
        assert said((part("9" * 5000, 'form-data; name="top_k"') + TWO + END).encode()) == 422
        assert said(part("\0").encode().replace(b"\0", b"\xe9") + END.encode()) == 422
        assert said(b'{"inputs": "1", "inputs": ["1", "2"]}', "application/json") == 400
        assert said(b'{"inputs": "1"', "application/json") == 400
