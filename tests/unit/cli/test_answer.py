"""Answers as bytes, by RFC 9112 sections 6 and 9."""

import pytest

from fhir_server.cli.answer import Answer, refusal, whole_answer


def answer(method: str = "GET", version: str = "1.1", *, keep_alive: bool = True) -> Answer:
    return Answer(method, version, keep_alive=keep_alive)


def test_a_body_of_known_length_goes_as_it_is() -> None:
    told = answer()

    head = told.head(200, [(b"content-length", b"5"), (b"etag", b'W/"1"')])

    assert head == b'HTTP/1.1 200 OK\r\ncontent-length: 5\r\netag: W/"1"\r\n\r\n'
    assert told.body(b"he", last=False) + told.body(b"llo", last=True) == b"hello"
    assert told.keep_alive


def test_a_body_of_unknown_length_goes_in_chunks() -> None:
    told = answer()

    head = told.head(200, [])

    assert head == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert told.body(b"", last=False) == b""
    assert told.body(b"x" * 16, last=False) == b"10\r\n" + b"x" * 16 + b"\r\n"
    assert told.body(b"y", last=True) == b"1\r\ny\r\n0\r\n\r\n"


def test_to_http_1_0_a_body_of_unknown_length_ends_with_the_connection() -> None:
    told = answer(version="1.0", keep_alive=True)

    assert told.head(200, []) == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
    assert told.body(b"x", last=True) == b"x"
    assert not told.keep_alive


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_what_has_no_body_writes_none(method: str, status: int) -> None:
    told = answer(method)

    head = told.head(status, [(b"content-length", b"5")] if method == "HEAD" else [])

    assert b"chunked" not in head
    assert (b"content-length: 5" in head) is (method == "HEAD")
    assert told.body(b"hello", last=True) == b""


def test_the_application_may_close_the_connection() -> None:
    told = answer()

    head = told.head(200, [(b"connection", b"Close"), (b"content-length", b"0")])

    assert head.count(b"connection: close\r\n") == 1
    assert not told.keep_alive


@pytest.mark.parametrize(
    ("length", "parts"), [(b"5", [b"hell"]), (b"5", [b"hello!"]), (b"5", [b"hel", b"lo!"])]
)
def test_a_body_that_is_not_as_long_as_announced_is_an_error(
    length: bytes, parts: list[bytes]
) -> None:
    told = answer()
    told.head(200, [(b"content-length", length)])
    *first, last = parts
    for part in first:
        told.body(part, last=False)

    with pytest.raises(RuntimeError, match="not as long"):
        told.body(last, last=True)


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\nx: y", b"a\rx", b"a\0", b"\r\n\r\n<html>"])
def test_a_value_cannot_begin_a_line_of_its_own(value: bytes) -> None:
    with pytest.raises(RuntimeError, match="character"):
        answer().head(200, [(b"location", value)])


def test_a_refusal_is_whole_and_the_last() -> None:
    assert refusal(400, [(b"date", b"today")]) == (
        b"HTTP/1.1 400 Bad Request\r\ndate: today\r\ncontent-type: text/plain; charset=utf-8\r\n"
        b"content-length: 11\r\nconnection: close\r\n\r\nBad Request"
    )


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("status", [200, 204, 304, 404])
def test_a_whole_answer_is_head_and_body_together(
    status: int, method: str, *, keep_alive: bool
) -> None:
    headers = [(b"date", b"today"), (b"etag", b'W/"1"')]
    bodiless = status in {204, 304}
    length = [] if bodiless else [(b"content-length", b"5")]
    told = answer(method, keep_alive=keep_alive)

    whole = whole_answer(
        method, status, b"date: today\r\n", headers[1:], b"hello", keep_alive=keep_alive
    )

    assert whole == told.head(status, [*headers, *length]) + told.body(b"hello", last=True)
    assert whole.endswith(b"hello") is not (bodiless or method == "HEAD")


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb", b"a\rb", b"a\0b"])
def test_no_header_of_a_whole_answer_can_begin_another(value: bytes) -> None:
    with pytest.raises(RuntimeError, match="no header may have"):
        whole_answer("GET", 200, b"", [(b"etag", value)], b"", keep_alive=True)
