"""The table of relations, and the pairs that wait to be compared."""

from __future__ import annotations

import pytest

from twinlens import relations
from twinlens.catalogue import Catalogue
from twinlens.contents import drop_orphans
from twinlens.models import Model
from twinlens.relations import Candidate, Detail, Relation


@pytest.fixture
def contents(catalogue: Catalogue) -> list[int]:
    """Three contents, by their numbers."""
    with catalogue.write_tx() as tx:
        return [
            int(tx.execute(
                "INSERT INTO contents (sha256, bytes) VALUES (?, 1) RETURNING id",
                (bytes([number]) * 32,),
            ).fetchone()[0])
            for number in range(3)
        ]  # fmt: skip


def pair_up(catalogue: Catalogue, model: Model, a: int, b: int, score: float = 0.9) -> None:
    """Store a pair as the indexer does."""
    with catalogue.write_tx() as tx:
        tx.execute(
            "INSERT INTO pairs (model_id, a, b, score) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (model.id, a, b, score),
        )


def store(catalogue: Catalogue, a: int, b: int, kind: str, *, verifier: int = 1) -> bool:
    """Store a relation; return whether it is news."""
    with catalogue.write_tx() as tx:
        detail = Detail("crop to 42 %", {"crop": 0.42}, 0.9, (1.0,) * 9, 0.9)
        return relations.store(tx, Relation(a, b, kind, 0.98, detail, verifier))


def waiting(catalogue: Catalogue, now: float = 1.0) -> list[tuple[int, int]]:
    """Return the pairs to be compared now."""
    return [(one.a, one.b) for one in relations.unverified(catalogue, 10, now=now)]


@pytest.mark.parametrize(
    ("words", "done", "of_a"),
    [
        ("rotated 90, grey", {"rotated": 90, "grey": True}, "rotated 270, grey"),
        ("tilted 1.6", {"rotated": 1.6}, "tilted 1.6"),
        ("tilted 2", {"rotated": 358.0}, "tilted 2"),
        ("rotated 90, mirrored", {"rotated": 90, "mirrored": True}, "rotated 90, mirrored"),
        ("resized to 25 %", {"resized": 0.25}, "resized to 400 %"),
        ("crop to 42 %, darker", {"crop": 0.42, "tone": ["darker"]}, "crop to 42 %, brighter"),
        ("", {}, ""),
    ],
)
def test_what_has_a_direction_is_said_of_either(words: str, done: dict[str, object], of_a: str):
    """Stored is what b is against a."""
    detail = Detail(words, done)
    assert detail.words_of("b") == words
    assert detail.words_of("a") == of_a


@pytest.mark.parametrize(
    ("words", "done", "otherwise"),
    [
        ("grey", {"grey": True, "greyed": "a"}, "in colour"),
        ("crop to 42 %", {"crop": 0.42, "cropped": "a"}, "not cropped"),
        ("border, darker", {"border": True, "framed": "a", "tone": ["darker"]}, "without border, darker"),
        ("caption", {"caption": True, "framed": "a"}, "without caption"),
        ("set into a larger picture", {"inset": True, "framed": "a"}, "without what is around it"),
    ],
)  # fmt: skip
def test_what_was_done_to_one_is_not_said_of_the_other(
    words: str, done: dict[str, object], otherwise: str
):
    """Beside a photo in colour stands that it is in colour, not that the other is grey."""
    assert Detail(words, done).words_of("a").split(", ")[0] == words.partition(", ")[0]
    assert Detail(words, done).words_of("b") == otherwise


def test_a_pair_waits_from_the_moment_it_is_found(
    catalogue: Catalogue, model: Model, contents: list[int]
):
    """Whoever stores pairs, in the same transaction; by the later content."""
    first, second, third = contents
    pair_up(catalogue, model, first, third, 0.8)
    pair_up(catalogue, model, first, second)
    assert waiting(catalogue) == [(first, second), (first, third)]
    assert not relations.are_verified(catalogue)
    assert relations.unverified(catalogue, 10, now=1.0)[1] == Candidate(first, third, 0.8)


def test_a_relation_comes_back_as_it_was(catalogue: Catalogue, model: Model, contents: list[int]):
    """In either order of the two; the pair no longer waits."""
    first, second, _ = contents
    pair_up(catalogue, model, first, second)
    store(catalogue, first, second, relations.EDIT)
    assert waiting(catalogue) == []
    assert relations.are_verified(catalogue)
    found = relations.relation(catalogue, second, first)
    assert found is not None
    assert found == relations.relation(catalogue, first, second)
    assert found.detail == Detail("crop to 42 %", {"crop": 0.42}, 0.9, (1.0,) * 9, 0.9)
    assert [found] == list(relations.related(catalogue))
    assert list(relations.related(catalogue, [relations.BURST])) == []


def test_a_related_pair_does_not_wait_again(
    catalogue: Catalogue, model: Model, contents: list[int]
):
    """Found by another model, or once more: contents have not changed."""
    first, second, _ = contents
    store(catalogue, first, second, relations.COPY)
    pair_up(catalogue, model, first, second)
    assert waiting(catalogue) == []


def test_only_a_new_duplicate_is_news(catalogue: Catalogue, contents: list[int]):
    """Bursts are none, and what was a duplicate before is none."""
    first, second, third = contents
    assert store(catalogue, first, second, relations.COPY)
    assert not store(catalogue, first, second, relations.EDIT, verifier=2)
    assert not store(catalogue, first, third, relations.BURST)
    assert store(catalogue, first, third, relations.EDIT, verifier=2)


def test_pairs_put_off_wait_and_hold_nothing_up(
    catalogue: Catalogue, model: Model, contents: list[int]
):
    """A disk that is away: the rest is done, and these are tried again later."""
    first, second, third = contents
    pair_up(catalogue, model, first, second)
    pair_up(catalogue, model, first, third)
    with catalogue.write_tx() as tx:
        relations.put_off(tx, Candidate(first, second, 0.9), until=100.0)
    assert waiting(catalogue, now=50.0) == [(first, third)]
    assert waiting(catalogue, now=100.0) == [(first, third), (first, second)]
    store(catalogue, first, third, relations.SIMILAR)
    assert relations.are_verified(catalogue)


def test_pairs_put_off_are_not_gone_through_at_each_look(catalogue: Catalogue):
    """A disk that is away for months, half a million pairs, four looks a second."""
    plan = catalogue.rows(
        "EXPLAIN QUERY PLAN SELECT a, b, score FROM unverified WHERE not_before <= ?"
        " ORDER BY not_before, b, a LIMIT 64",
        (1.0,),
    )
    assert [row["detail"].partition(" (")[0].split()[0] for row in plan] == ["SEARCH"]


def test_a_newer_verifier_judges_anew(catalogue: Catalogue, contents: list[int]):
    """What an older one judged waits again, and stays known meanwhile."""
    first, second, third = contents
    store(catalogue, first, second, relations.COPY, verifier=1)
    store(catalogue, first, third, relations.COPY, verifier=2)
    assert relations.has_older(catalogue, 2)
    with catalogue.write_tx() as tx:
        assert relations.verify_again(tx, 2) == 1
    assert waiting(catalogue) == [(first, second)]
    assert relations.unverified(catalogue, 1, now=1.0)[0].score == 0.9
    assert relations.relation(catalogue, first, second) is not None


def test_a_content_that_is_gone_takes_its_relations_with_it(
    catalogue: Catalogue, model: Model, contents: list[int]
):
    """Also where it went while it was compared."""
    first, second, third = contents
    store(catalogue, first, second, relations.COPY)
    pair_up(catalogue, model, second, third)
    with catalogue.write_tx() as tx:
        drop_orphans(tx, second)
    assert relations.relation(catalogue, first, second) is None
    assert waiting(catalogue) == []
    assert not store(catalogue, first, second, relations.COPY)
    assert relations.relation(catalogue, first, second) is None
