"""Which store is the one that the gateway knows (P3)."""

from datetime import datetime, timedelta

import pytest

from gateway.store_guard import Place, StoreFacts, StoreLost, store_lost, why_lost
from tests.unit.gateway.builders import NOW

LATER = NOW + timedelta(hours=1)


def facts(store_id: str, created: datetime, last_sequence: int, bucket: str = "jobs") -> StoreFacts:
    return StoreFacts(store_id, {bucket: Place(created, last_sequence)})


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (StoreFacts(), StoreFacts()),
        (StoreFacts(), facts("a", NOW, 7)),
        (StoreFacts("a"), facts("a", NOW, 7)),
        (facts("a", NOW, 7), facts("a", NOW, 7)),
        (facts("a", NOW, 7), facts("a", NOW, 9)),
        # The files are of a release that knew no identity, or the store has not been given one yet.
        (facts("", NOW, 7), facts("", NOW, 7)),
        (facts("", NOW, 7), facts("a", NOW, 8)),
    ],
    ids=["both-new", "files-new", "rows-new", "same", "further", "no-identity", "identity-is-new"],
)
def test_the_store_that_is_known_is_not_lost(known: StoreFacts, found: StoreFacts) -> None:
    assert why_lost(known, found) == ""


@pytest.mark.parametrize(
    ("known", "found", "word"),
    [
        (facts("a", NOW, 7), StoreFacts(), "empty"),
        (facts("a", NOW, 7), facts("", LATER, 0), "empty"),
        (StoreFacts("a"), facts("", NOW, 9), "empty"),
        (facts("a", NOW, 7), facts("b", NOW, 9), "another store"),
        (facts("a", NOW, 7), facts("a", LATER, 9), "made anew"),
        (facts("a", NOW, 7), facts("a", NOW, 6), "old copy"),
        (facts("", NOW, 7), facts("", LATER, 0), "made anew"),
        (facts("a", NOW, 7, "models"), facts("a", LATER, 0, "models"), "models"),
        (facts("a", NOW, 7, "models"), StoreFacts("a"), "models"),
    ],
    ids=["gone", "emptied", "no-rows", "another", "anew", "old-copy", "files-of-before", "models", "no-models"],
)
def test_any_other_store_is_the_loss_of_it_p3(known: StoreFacts, found: StoreFacts, word: str) -> None:
    assert word in why_lost(known, found)


def test_the_error_says_what_to_do() -> None:
    error = store_lost("it is empty")
    assert isinstance(error, StoreLost)
    assert (error.reason, error.retryable) == ("STORE_LOST", False)
    assert "headway recover" in error.message
