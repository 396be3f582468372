"""What is stored of a version: exact content, terms that every server orders alike."""

from itertools import pairwise
from random import Random

import bson
import pytest

from fhir_server.storage.base import StoreError
from fhir_server.storage.mongo.documents import (
    ALL,
    document_of,
    history_of,
    portable,
    terms_of,
    version_of,
)
from fhir_server.storage.versions import Change, Terms, Version

CONTENT = b'{"resourceType":"Alpha","number":1.50}'
LIVE = Version("Alpha", "one", 3, 2**40, 1_700_000_000_000, "PUT", CONTENT)
DELETED = Version("Alpha", "one", 4, 2**40, 1_700_000_000_001, "DELETE", None)
TERMS = Terms(
    keys=[b"k" * 16, "text"], drivers=[b"c" * 16], intervals=[(7, 0.5, 1)], start=1, end=2
)


@pytest.mark.parametrize("version", [LIVE, DELETED], ids=["live", "deleted"])
def test_a_version_comes_back_from_both_collections_as_it_was(version: Version) -> None:
    document = bson.decode(bson.encode(document_of(Change(version, TERMS))))
    assert version_of("Alpha", document) == version
    assert version_of("Alpha", bson.decode(bson.encode(history_of(document)))) == version


def test_a_deletion_has_no_terms() -> None:
    assert not {"k", "c", "r", "d", "e"} & document_of(Change(DELETED, TERMS)).keys()


def test_terms_are_short_fields_and_one_key_of_all() -> None:
    assert terms_of(TERMS) == {
        "k": [ALL, b"k" * 16, "text"],
        "c": [b"c" * 16],
        "r": [{"p": 7, "a": 0.5, "z": 1.0}],
        "d": 1,
        "e": 2,
    }
    assert terms_of(Terms()).keys() == {"k", "d", "e"}


def test_history_keeps_no_terms_and_no_mark_of_a_commit() -> None:
    held = {**document_of(Change(LIVE, TERMS)), "t": "commit"}
    assert history_of(held) == {
        "_id": {"i": "one", "v": 3},
        "i": "one",
        "v": 3,
        "n": 2**40,
        "u": 1_700_000_000_000,
        "m": "PUT",
        "b": CONTENT,
    }


def test_more_terms_than_a_document_has_room_for_are_refused() -> None:
    with pytest.raises(StoreError, match="bytes of terms"):
        terms_of(Terms(keys=[number.to_bytes(16) for number in range(200_000)]))


def test_keys_are_in_one_order_as_utf_8_and_as_utf_16() -> None:
    alphabet = "ab\x01\ud7ff\ue000\ufb01\ufffd\uffff\U00010000\U0001f600\U0010ffff"
    random = Random(1)
    texts = {"".join(random.choices(alphabet, k=random.randint(0, 4))) for _ in range(3000)}
    ordered = sorted(texts)
    for low, high in pairwise(map(portable, ordered)):
        assert isinstance(low, str)
        assert isinstance(high, str)
        assert low.encode() < high.encode()
        assert low.encode("utf-16-be") < high.encode("utf-16-be")


def test_ordinary_keys_stay_as_they_are() -> None:
    for key in ("", "müller", "漢字", b"\xff" * 16):
        assert portable(key) == key
