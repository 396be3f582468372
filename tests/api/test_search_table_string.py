"""https://hl7.org/fhir/R4/search.html#string"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.search_tables import Loaded, Row, labelled, load
from tests.support.server import Server

pytestmark = pytest.mark.anyio


def family(text: str) -> dict[str, Any]:
    return {"name": [{"family": text}]}


PATIENTS: Mapping[str, Mapping[str, Any]] = {
    "accent": {"name": [{"family": "Müller", "given": ["Zoë", "Ann Marie"]}]},
    "bare": {"name": [{"family": "MULLER", "given": ["zoe"]}]},
    "combining": {"name": [{"family": "Mu\u0308ller"}]},
    "sharp-s": family("Strauß"),
    "double-s": family("STRAUSS"),
    "wide": family("\uff33\uff4d\uff49\uff54\uff48"),
    "ligature": family("\ufb01nch"),
    "greek": family("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2"),
    "cyrillic": family("\u0419\u043e\u0432"),
    "korean": family("\uae40\ucca0"),
    "chinese": family("\u738b\u5c0f"),
    "arabic": family("\u0645\u064f\u062d\u0645\u062f"),
    "turkish": family("\u0130nan"),
    "emoji": family("\U0001f600 Smile"),
    "comma": family("Ames, Jr."),
    "bar": family("Ames|B"),
    "dollar": family("Ames$C"),
    "backslash": family("Ames\\D"),
    "blanks": family("De  la \t Cruz"),
    "hyphen": family("Anna-Lena"),
    "apostrophe": family("O'Neil"),
    "signs": family("100%_*.+?"),
    "several": {"name": [{"family": "First"}, {"family": "Second", "given": ["Third", "Fourth"]}]},
    "parts": {"name": [{"prefix": ["Dr."], "suffix": ["PhD"], "text": "Dr. Whole Name PhD"}]},
    "address": {
        "address": [
            {
                "line": ["Rua 5", "Fundos"],
                "city": "São Paulo",
                "district": "Sé",
                "state": "SP",
                "postalCode": "01000-000",
                "country": "BR",
                "text": "all of it",
            }
        ]
    },
    "extended": {
        "name": [{"extension": [{"url": "http://example.org/absent", "valueCode": "masked"}]}]
    },
    "use-only": {"name": [{"use": "official"}]},
    "nothing": {"active": True},
}

BEGINS: list[Row] = [
    # case, accents, width, composition
    ("Patient?family=müller", "accent bare combining"),
    ("Patient?family=MÜLLER", "accent bare combining"),
    ("Patient?family=muller", "accent bare combining"),
    ("Patient?family=mu%CC%88ller", "accent bare combining"),
    ("Patient?family=\uff4d\uff55\uff4c\uff4c\uff45\uff52", "accent bare combining"),
    ("Patient?family=mueller", ""),
    ("Patient?family=strauß", "sharp-s double-s"),
    ("Patient?family=strauss", "sharp-s double-s"),
    ("Patient?family=STRAUẞ", "sharp-s double-s"),
    ("Patient?family=smith", "wide"),
    ("Patient?family=finch", "ligature"),
    ("Patient?family=fi", "ligature several"),
    ("Patient?family=ΣΊΣΥΦΟΣ", "greek"),
    ("Patient?family=σισυφος", "greek"),
    ("Patient?family=иов", "cyrillic"),
    ("Patient?family=김", "korean"),
    ("Patient?family=기", ""),
    ("Patient?family=王", "chinese"),
    ("Patient?family=小", ""),
    ("Patient?family=محمد", "arabic"),
    ("Patient?family=inan", "turkish"),
    ("Patient?family=😀", "emoji"),
    ("Patient?family=smile", ""),
    # it begins so, whole and in part; a later word does not
    ("Patient?family=m", "accent bare combining"),
    ("Patient?family=muller-lang", ""),
    ("Patient?given=ann", "accent"),
    ("Patient?given=ann marie", "accent"),
    ("Patient?given=marie", ""),
    ("Patient?family=uller", ""),
    # escapes
    (r"Patient?family=ames\, jr.", "comma"),
    (r"Patient?family=ames\,jr.", ""),
    ("Patient?family=ames, jr.", "comma bar dollar backslash"),
    ("Patient?family=ames|b", "bar"),
    (r"Patient?family=ames\|b", "bar"),
    ("Patient?family=ames$c", "dollar"),
    (r"Patient?family=ames\$c", "dollar"),
    (r"Patient?family=ames\\d", "backslash"),
    (r"Patient?family=ames\d", "backslash"),
    ("Patient?family=ames", "comma bar dollar backslash"),
    # blanks and signs
    ("Patient?family=de la cruz", "blanks"),
    ("Patient?family=de   la%09cruz", "blanks"),
    ("Patient?family= de la", "blanks"),
    ("Patient?family=dela", ""),
    ("Patient?family=anna-l", "hyphen"),
    ("Patient?family=anna l", ""),
    ("Patient?family=o'neil", "apostrophe"),
    ("Patient?family=oneil", ""),
    ("Patient?family=100%25", "signs"),
    ("Patient?family=100%25_*.%2B?", "signs"),
    ("Patient?family=1%25", ""),
    ("Patient?family=%25", ""),
    ("Patient?family=_", ""),
    ("Patient?family=.*", ""),
    # several values, on both sides
    ("Patient?family=first", "several"),
    ("Patient?family=second", "several"),
    ("Patient?given=fourth", "several"),
    ("Patient?family=first,muller", "several accent bare combining"),
    ("Patient?family=first&family=second", "several"),
    ("Patient?family=first&family=muller", ""),
    ("Patient?family=first&given=fourth", "several"),
    # names and addresses are found by each part
    ("Patient?name=muller", "accent bare combining"),
    ("Patient?name=zoe", "accent bare"),
    ("Patient?name=dr.", "parts"),
    ("Patient?name=phd", "parts"),
    ("Patient?name=whole", ""),
    ("Patient?name=dr. whole", "parts"),
    ("Patient?family=dr.", ""),
    ("Patient?address=rua", "address"),
    ("Patient?address=fundos", "address"),
    ("Patient?address=sao p", "address"),
    ("Patient?address=se", "address"),
    ("Patient?address=sp", "address"),
    ("Patient?address=01000", "address"),
    ("Patient?address=br", "address"),
    ("Patient?address=all of", "address"),
    ("Patient?address=paulo", ""),
    ("Patient?address-city=sao", "address"),
    ("Patient?address-city=br", ""),
    ("Patient?address-country=BR", "address"),
    ("Patient?address-postalcode=01000-000", "address"),
    ("Patient?address-state=s", "address"),
    # another search over the same element
    ("Patient?phonetic=mull", "accent bare combining"),
]
EXACT: list[Row] = [
    ("Patient?family:exact=Müller", "accent"),
    ("Patient?family:exact=MULLER", "bare"),
    ("Patient?family:exact=muller", ""),
    ("Patient?family:exact=Mül", ""),
    ("Patient?family:exact=Strauß", "sharp-s"),
    ("Patient?family:exact=Strauss", ""),
    ("Patient?family:exact=Smith", ""),
    ("Patient?given:exact=Ann Marie", "accent"),
    ("Patient?given:exact=Ann", ""),
    ("Patient?given:exact=Fourth", "several"),
    ("Patient?name:exact=Third", "several"),
    ("Patient?name:exact=Dr.", "parts"),
    (r"Patient?family:exact=Ames\, Jr.", "comma"),
    ("Patient?family:exact=Ames, Jr.", ""),
    (r"Patient?family:exact=Ames\|B", "bar"),
    (r"Patient?family:exact=Ames\\D", "backslash"),
    ("Patient?family:exact=Müller,MULLER", "accent bare"),
    ("Patient?family:exact=100%25_*.%2B?", "signs"),
    ("Patient?address-city:exact=São Paulo", "address"),
    ("Patient?address-city:exact=Sao Paulo", ""),
]
CONTAINS: list[Row] = [
    ("Patient?family:contains=ull", "accent bare combining"),
    ("Patient?family:contains=ÜLL", "accent bare combining"),
    ("Patient?family:contains=muller", "accent bare combining"),
    ("Patient?family:contains=ss", "sharp-s double-s"),
    ("Patient?family:contains=raus", "sharp-s double-s"),
    ("Patient?family:contains=mit", "wide"),
    ("Patient?family:contains=inc", "ligature"),
    ("Patient?family:contains=ΙΣΥ", "greek"),
    ("Patient?family:contains=小", "chinese"),
    ("Patient?family:contains=철", "korean"),
    ("Patient?family:contains=mile", "emoji"),
    ("Patient?family:contains=la cruz", "blanks"),
    (r"Patient?family:contains=s\, j", "comma"),
    (r"Patient?family:contains=s\|b", "bar"),
    ("Patient?family:contains=%25_", "signs"),
    ("Patient?family:contains=%25", "signs"),
    ("Patient?family:contains=.*", ""),
    ("Patient?family:contains=eco,irs", "several"),
    ("Patient?given:contains=marie", "accent"),
    ("Patient?name:contains=whole name", "parts"),
    ("Patient?address:contains=paulo", "address"),
    ("Patient?address:contains=r", "address"),
    ("Patient?family:contains=nobody", ""),
]
MISSING: list[Row] = [
    ("Patient?family:missing=true", "parts address extended use-only nothing"),
    ("Patient?name:missing=true", "address extended use-only nothing"),
    ("Patient?address:missing=false", "address"),
    ("Patient?given:missing=false", "accent bare several"),
    ("Patient?given:missing=false&family:missing=true", ""),
]
REFUSED = [
    "Patient?family=",
    "Patient?family=,",
    "Patient?family=a,",
    "Patient?family=%20",
    "Patient?family=a\\",
    "Patient?family:missing=maybe",
    "Patient?family:missing=true,false",
    "Patient?family:not=a",
    "Patient?family:above=a",
    "Patient?family:of-type=a",
    "Patient?family:Patient=a",
    "Patient?family:nonsense=a",
    "Patient?family.given=a",
]


@pytest.fixture(scope="module")
async def loaded(server: Server) -> Loaded:
    return await load(server, labelled("Patient", PATIENTS))


@pytest.mark.parametrize("row", BEGINS + EXACT + CONTAINS + MISSING, ids=lambda row: row[0])
async def test_a_string_finds_those_it_should(loaded: Loaded, row: Row) -> None:
    await loaded.check(row)


@pytest.mark.parametrize("url", REFUSED)
async def test_a_string_that_means_nothing_is_refused(loaded: Loaded, url: str) -> None:
    await loaded.check_refused(url)
