"""Photos that look like one, as the page shows them: how alike, in words too, and what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from twinlens import labels, pairs
from twinlens.catalogue import Catalogue
from twinlens.labels import Label
from twinlens.media import printable
from twinlens.models import Model
from twinlens.relations import IDENTICAL, PAIR, SAME_PIXELS, SIMILAR, relation
from twinlens.settings import Settings
from twinlens_plugin.answers import Match
from twinlens_plugin.current import chunks
from twinlens_plugin.output import megabytes
from twinlens_plugin.review.words import folder, split_name, thumb

ALIKE: Final = 0.6
"""Share of the copy threshold from which photos are called alike. Of pairs of photos of one product
(400 of the shared data's ``similar``, pocket) 11 % score as high, of pairs of two products 3 in 10,000."""

SOMEWHAT: Final = 1 / 3
"""The same for somewhat alike: half of the pairs of one product, 1.4 % of those of two. What is below
is only the nearest that there is."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A photo that looks like the one asked about."""

    id: int
    name: str
    start: str
    """The name but for its end, which stays in sight where room is short: there photos differ."""
    end: str
    folder: str
    """The last two names of it."""
    path: str
    """Whole, for people."""
    score: str
    """``0.87``, rounded down."""
    alike: str
    """The same in words: ``very alike``."""
    near: bool
    """Whether it looks like it at all; else it is only the nearest that there is."""
    relation: str
    """What the two are known to be: ``copy``; empty where nothing is known."""
    words: str
    """What was done to one of the two: ``cropped to 42 %``."""
    labels: str
    """What the model names in it, the surest first."""
    figures: tuple[str, ...]
    """``4000 x 3000``, ``4.20 MB``, ``2024-05-01``, as far as they are known."""
    online: bool
    thumb: str
    """Address of its thumbnail."""


def seen(
    catalogue: Catalogue,
    settings: Settings,
    model: Model,
    content: int | None,
    matches: Sequence[Match],
) -> list[Seen]:
    """Return matches as they are shown. ``content``: that of the photo asked about, where known."""
    contents = [match.content_id for match in matches]
    files = _files(catalogue, contents)
    named = labels.of_contents(catalogue, model, contents)
    threshold = pairs.copy_threshold(settings, model)
    return [
        _seen(file, match, threshold, _relation(catalogue, content, match), named)
        for match in matches
        if (file := files.get(match.path)) is not None
    ]


def _files(catalogue: Catalogue, contents: Sequence[int]) -> dict[bytes, Any]:
    """Return the files of contents by their paths; a match names no number."""
    rows = (
        row
        for some, marks in chunks(set(contents))
        for row in catalogue.iterate(
            "SELECT f.id, r.path AS root, f.path, r.online, sha256, size,"  # noqa: S608
            " width, height, taken_at FROM files f JOIN roots r ON r.id = root_id"
            " JOIN contents c ON c.id = content_id"
            f" WHERE content_id IN ({marks}) AND missing_since IS NULL",
            some,
        )
    )
    return {row["root"] + b"/" + row["path"]: row for row in rows}


def _seen(
    file: Any,  # noqa: ANN401  sqlite3.Row
    match: Match,
    threshold: float,
    related: tuple[str, str],
    named: Any,  # noqa: ANN401
) -> Seen:
    start, end = split_name(match.path)
    kind, words = related
    near = bool(kind) or match.score >= SOMEWHAT * threshold
    return Seen(
        id=file["id"],
        name=start + end,
        start=start,
        end=end,
        folder=folder(match.path),
        path=printable(match.path),
        score=score_text(match.score),
        alike=alike(match.score, threshold, kind),
        near=near,
        relation=kind,
        words=words,
        labels=_labels(named.get(match.content_id, ())),
        figures=_figures(file),
        online=bool(file["online"]),
        thumb=thumb(file["id"], file["sha256"]),
    )


def _relation(catalogue: Catalogue, content: int | None, match: Match) -> tuple[str, str]:
    """Return what a match is to a content, as a word, and what is different in it."""
    if content is None:
        return "", ""
    if content == match.content_id:
        return IDENTICAL, ""
    found = relation(catalogue, content, match.content_id)
    if found is None or found.kind == SIMILAR:  # that it looks alike the score says
        return "", ""
    if found.kind in (SAME_PIXELS, PAIR):
        return {SAME_PIXELS: "same pixels", PAIR: "RAW and its JPEG"}[found.kind], ""
    return found.kind, found.detail.words_of("a" if match.content_id == found.a else "b")


def alike(score: float, threshold: float, kind: str = "") -> str:
    """Return a similarity in words. ``threshold``: from which two photos are taken for copies."""
    if kind == IDENTICAL:
        return "the same file"
    if score >= threshold:
        return "very alike"
    if score >= ALIKE * threshold:
        return "alike"
    return "somewhat alike" if score >= SOMEWHAT * threshold else "little in common"


def score_text(score: float) -> str:
    """Return a score with two digits, rounded down: 1.00 is for the same bytes alone."""
    return "1.00" if score >= 1 else f"{max(-1.0, int(score * 100) / 100):.2f}"


def _labels(found: Sequence[Label]) -> str:
    return ", ".join(f"{one.name.replace('_', ' ')} {one.probability * 100:.0f} %" for one in found[:3])  # fmt: skip


def _figures(file: Any) -> tuple[str, ...]:  # noqa: ANN401  sqlite3.Row
    pixels = f"{file['width']} × {file['height']}" if file["width"] else ""  # noqa: RUF001
    day = (file["taken_at"] or "")[:10]
    return tuple(part for part in (pixels, megabytes(file["size"]), day) if part)
