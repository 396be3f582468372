"""Narrative: https://hl7.org/fhir/R4/narrative.html#xhtml."""

import pytest

from fhir_server.fhir.xhtml import is_narrative

DIV = '<div xmlns="http://www.w3.org/1999/xhtml"{}>{}</div>'


@pytest.mark.parametrize(
    "text",
    [
        DIV.format("", "words"),
        DIV.format(' lang="en" xml:lang="en" class="x"', "<p>a<br/>b</p>"),
        DIV.format("", '<table border="1"><tbody><tr><td colspan="2">1</td></tr></tbody></table>'),
        DIV.format("", '<a href="Patient/1">x</a><a href="#top">y</a>'),
        DIV.format("", '<img src="data:image/png;base64,AAAA" alt="x"/>'),
        DIV.format("", '<a href="mailto:a@b.c" title="x">&amp;&#160;</a>'),
        DIV.format("", "<!-- a comment -->words"),
        DIV.format(' style="color: red"', "x"),
    ],
)
def test_what_formats_text_is_narrative(text: str) -> None:
    assert is_narrative(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "words",
        "<div>no namespace</div>",
        "<p xmlns='http://www.w3.org/1999/xhtml'>no div</p>",
        DIV.format("", ""),
        DIV.format("", " \n <p> </p>"),
        DIV.format("", "<p>unclosed"),
        DIV.format("", "a") + "<div/>",
        DIV.format("", "<script>alert(1)</script>x"),
        DIV.format("", "<form>x</form>"),
        DIV.format("", "<iframe src='http://x'>x</iframe>"),
        DIV.format("", "<object>x</object>"),
        DIV.format("", "<style>x</style>"),
        DIV.format("", "<P>case</P>"),
        DIV.format(' onclick="alert(1)"', "x"),
        DIV.format("", '<a href="javascript:alert(1)">x</a>'),
        DIV.format("", '<a href=" JaVaScript:alert(1)">x</a>'),
        DIV.format("", '<img src="vbscript:x"/>'),
        DIV.format("", "&nbsp;"),
        DIV.format("", '<svg xmlns="http://www.w3.org/2000/svg">x</svg>'),
        "<!DOCTYPE div [<!ENTITY a 'b'>]>" + DIV.format("", "&a;"),
        "<?xml-stylesheet href='x'?>" + DIV.format("", "x"),
        DIV.format("", "x\ud800"),
    ],
)
def test_what_runs_loads_submits_or_says_nothing_is_none(text: str) -> None:
    assert not is_narrative(text)
