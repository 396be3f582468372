"""Full text: the words of a narrative, or of all that a resource says.

https://hl7.org/fhir/R4/search.html#content
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

from tests.support.brute_force.query import Refused
from tests.support.brute_force.strings import fold

Resource = Mapping[str, Any]

_ONE_BY_ONE = ("CJK ", "HIRAGANA ", "KATAKANA ", "THAI ", "LAO ", "MYANMAR ", "KHMER ")
"""Scripts that write no blanks between words."""


def words(text: str) -> list[str]:
    found, word = [], ""
    for sign in f"{fold(text)} ":
        alone = unicodedata.name(sign, "").startswith(_ONE_BY_ONE)
        inside = unicodedata.category(sign)[0] in "LMN" and not alone
        if word and not inside:
            found.append(word)
        word = word + sign if inside else ""
        if alone and unicodedata.category(sign)[0] in "LMN":
            found.append(sign)
    return found


def holds(value: str, having: set[str]) -> bool:
    """Whether words meet a value: `and` binds closer than `or`, and stands between any two."""
    if '"' in value or "*" in value:
        raise Refused(f"{value} asks for more than words")
    output: list[bool] = []
    waiting: list[str] = []
    for token in _tokens(value):
        match token:
            case "(":
                waiting.append(token)
            case ")":
                _join_all({"and", "or"}, waiting, output)
                if not waiting:
                    raise Refused(f"{value} closes what it does not open")
                waiting.pop()
            case "and" | "or":
                _join_all({"and"}, waiting, output)
                waiting.append(token)
            case _:
                output.append(set(words(token)) <= having)
    _join_all({"and", "or", "("}, waiting, output)
    if len(output) != 1:
        raise Refused(f"{value} is not understood")
    return output[0]


def _join_all(names: set[str], waiting: list[str], output: list[bool]) -> None:
    while waiting and waiting[-1] in names:
        _join(waiting.pop(), output)


def _join(name: str, output: list[bool]) -> None:
    if name == "(" or len(output) < 2:
        raise Refused("something is missing")
    last, first = output.pop(), output.pop()
    output.append((first and last) if name == "and" else (first or last))


def _tokens(value: str) -> Iterator[str]:
    """The parts of a value, with an `and` where none is written."""
    operand = False
    for part in re.findall(r"[()]|[^\s()]+", value):
        token = part.lower() if part.lower() in {"and", "or"} else part
        if token not in {")", "and", "or"} and not (token == "(" or words(token)):
            continue
        begins = token not in {")", "and", "or"}
        if begins and operand:
            yield "and"
        yield token
        operand = token == ")" or (begins and token != "(")


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, *_: object) -> None:
        self.text += " "

    def handle_endtag(self, *_: object) -> None:
        self.text += " "


def _plain(div: str) -> str:
    parser = _Text()
    parser.feed(div)
    parser.close()
    return parser.text


def narrative(resource: Resource) -> set[str]:
    return set(words(_plain(resource.get("text", {}).get("div", ""))))


def content(resource: Resource) -> set[str]:
    found: set[str] = set()
    for name, value in resource.items():
        if name not in {"resourceType", "meta"}:
            _say(name, value, found)
    return found


def _say(name: str, value: object, found: set[str]) -> None:
    match value:
        case str():
            if name in {"data", "hash", "carrierAIDC"} or name.endswith("Base64Binary"):
                return
            found.update(words(_plain(value) if name == "div" else value))
        case list():
            for each in value:
                _say(name, each, found)
        case dict():
            for key, each in value.items():
                _say(key, each, found)


WORDS: Mapping[str, Callable[[Resource], set[str]]] = {"_text": narrative, "_content": content}
"""The words that a parameter looks at."""
