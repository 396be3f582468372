"""Words of texts and narratives: https://hl7.org/fhir/R4/search.html#content"""

import time

import pytest

from fhir_server.search import words
from fhir_server.search.gathering import Gathered
from fhir_server.search.words import FullText, full_text_finds, narrative_words, words_of
from tests.support.brute_force import full_text

TEXTS = [
    ("", []),
    ("Liver", ["liver"]),
    ("liver, liver; LIVER", ["liver"]),
    ("co-trimoxazole 6.5%", ["co", "trimoxazole", "6", "5"]),
    ("snake_case", ["snake", "case"]),
    ("Straße É e\u0301", ["strasse", "e"]),
    ("½ x²", ["1", "2", "x2"]),
    ("肝臓", ["肝", "臓"]),
    ("ตับ", ["ต", "ั", "บ"]),
    ("हिन्दी", ["हिनदी"]),
    ("… — !", []),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_a_text_has_these_words(text: str, expected: list[str]) -> None:
    assert words_of(text) == expected


DIVS = [
    "<div>a<br/>b</div>",
    "<div><p class='x'>a</p><p title=\"1 > 2\">b</p></div>",
    "<div>Größe &lt; 5 &amp; <!-- not <i>this</i> -->that</div>",
    "<div>a < b > c</div>",
    "<div>\u00a0a\u3000b</div>",
    "no tags at all",
]


@pytest.mark.parametrize("div", DIVS)
def test_a_narrative_has_the_words_between_its_tags(div: str) -> None:
    found = {word for raw in narrative_words(div) for word in words_of(raw)}
    assert found == full_text.narrative({"text": {"div": div}})


@pytest.mark.parametrize(
    "sign", ["<", "<a '", '<a "', "<!--", "&", "<a b='c' ", "肝", "a", "\u0300"]
)
def test_a_long_narrative_of_one_sign_takes_no_time(sign: str) -> None:
    begun = time.process_time()
    narrative_words(sign * (200_000 // len(sign)))
    assert time.process_time() - begun < 3


def test_more_words_than_can_be_kept_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST_WORDS", 3)
    (find,) = full_text_finds("Patient", {"_text"}, FullText.CONTENT)
    gathered = Gathered()
    find.collect("<div>a b c d</div>", gathered)
    assert len(gathered.keys) == 3


@pytest.mark.parametrize(
    ("level", "codes"),
    [(FullText.NONE, 0), (FullText.TEXT, 1), (FullText.CONTENT, 2)],
)
def test_only_what_is_wanted_is_indexed(level: FullText, codes: int) -> None:
    assert len([*full_text_finds("Patient", {"_text", "_content"}, level)]) == codes
    assert not [*full_text_finds("Patient", {"_id"}, level)]


@pytest.mark.parametrize("malformed", [None, 1, [], {}, True])
def test_a_malformed_narrative_has_no_words(malformed: object) -> None:
    for find in full_text_finds("Patient", {"_text", "_content"}, FullText.CONTENT):
        gathered = Gathered()
        find.collect({"text": {"div": malformed}} if not find.steps else malformed, gathered)
        assert gathered.keys == []
