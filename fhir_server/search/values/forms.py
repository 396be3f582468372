"""Forms: the key of a value without its parameter, so that one value serves many parameters.

A form is group (4 bytes) and value (8 bytes); see `keys.py`. Token, reference and uri values
have forms; composites combine them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fhir_server.search import keys
from fhir_server.search.entries import Entries, Index, Indexed, Indexer
from fhir_server.storage.query import KeyIs

Form = bytes
Forms = Callable[[Any], Sequence[Form]]
"""The forms of one element; none for what cannot be indexed."""

NO_VALUE = keys.value("")
"""The value of what has none, such as a Coding with a system only."""
PRESENT: tuple[Form, ...] = (keys.ANY + NO_VALUE,)
"""The form of what is there but has nothing to compare, such as a concept of text only."""


def indexers(forms: Mapping[str, Forms]) -> Mapping[str, Indexer]:
    """Indexers that add one key for each form, by FHIR type."""
    return {type_: partial(_index, of) for type_, of in forms.items()}


def key_is(parameter: Indexed, forms: Sequence[Form]) -> KeyIs:
    """Some key of the parameter has one of the forms."""
    prefix = parameter.prefix
    if len(forms) == 1:
        return KeyIs((prefix + forms[0],))
    return KeyIs(tuple([prefix + form for form in dict.fromkeys(forms)]))


def _index(forms: Forms, parameter: Indexed) -> Index:
    prefix = parameter.prefix

    def index(element: Any, entries: Entries) -> None:
        entries.keys += [prefix + form for form in forms(element)]

    return index
