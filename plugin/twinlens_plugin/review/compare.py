"""Two photos compared: the page ``/compare``, or the piece of it that the list shows over itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twinlens.catalogue import Catalogue
from twinlens.relations import (
    BURST,
    DUPLICATES,
    IDENTICAL,
    PAIR,
    SAME_PIXELS,
    Relation,
    relation,
)
from twinlens_plugin.decisions import KEEP, NOT_DUPLICATES, Decided, decided_among
from twinlens_plugin.review import ids, words
from twinlens_plugin.review.facts import Fact, compared
from twinlens_plugin.review.ids import File
from twinlens_plugin.review.problems import whole_number
from twinlens_plugin.review.state import State

Transform = tuple[float, ...]
"""3 x 3, row by row, between unit squares; see ``twinlens.relations.Detail``."""

_IDENTITY: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

_NAMES = {PAIR: "one photo in two forms", BURST: "burst: another frame of the moment"}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    id: int
    name: str
    size: tuple[int, int] | None
    """Width and height, upright; None where nobody knows."""
    version: str
    """Of the picture that is shown."""
    thumb: str
    """Address of its thumbnail."""
    online: bool
    """Whether its disk is here."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photos, and what they are to each other."""

    a: Side
    b: Side
    kind: str
    """What ``b`` is to ``a``, for people."""
    words: tuple[str, ...]
    """More of it: what was done, how sure it is, what somebody decided."""
    transform: Transform | None
    """Takes a point of ``a`` to the same point of ``b``. None: they could not be aligned."""
    same_bytes: bool
    doubtful: bool
    """Whether it is worth asking whether they are the same photo."""
    facts: Sequence[Fact]


def routes(state: State) -> list[Route]:
    """Return the addresses of comparing."""

    def compare(request: Request) -> Response:
        first, second = (_photo(request, name) for name in ("a", "b"))
        with state.catalogue() as catalogue:
            pair = pair_of(catalogue, ids.find(catalogue, first), ids.find(catalogue, second))
        fragment = request.query_params.get("fragment") == "1"
        name, heading = ("_compare.html", "h2") if fragment else ("compare.html", "h1")
        return state.templates.TemplateResponse(request, name, {"pair": pair, "heading": heading})

    return [Route("/compare", compare, name="compare")]


def pair_of(catalogue: Catalogue, a: File, b: File) -> Pair:
    """Return what the catalogue and the files know of two photos."""
    same_bytes = a.content_id == b.content_id
    found = None if same_bytes else relation(catalogue, a.content_id, b.content_id)
    decided = _decided(catalogue, a.content_id, b.content_id)
    kind = IDENTICAL if same_bytes else found.kind if found else ""
    return Pair(
        a=_side(a),
        b=_side(b),
        kind=_NAMES.get(kind, kind.replace("-", " ")) or "not compared yet",
        words=tuple(_words(found, b.content_id, decided)),
        transform=_IDENTITY if same_bytes else _transform(found, a.content_id),
        same_bytes=same_bytes,
        doubtful=decided is None and not same_bytes and kind not in DUPLICATES,
        facts=compared(catalogue, a, b),
    )


def inverse(m: Transform) -> Transform | None:
    """Return the inverse of a 3 x 3 matrix, None where there is none."""
    a, b, c, d, e, f, g, h, i = m
    cofactors = (
        *(e * i - f * h, c * h - b * i, b * f - c * e),
        *(f * g - d * i, a * i - c * g, c * d - a * f),
        *(d * h - e * g, b * g - a * h, a * e - b * d),
    )
    determinant = a * cofactors[0] + b * cofactors[3] + c * cofactors[6]
    if abs(determinant) < 1e-12:
        return None
    return tuple(value / determinant for value in cofactors)


def _transform(found: Relation | None, content: int) -> Transform | None:
    """Return how to get from a content to the other one; stored is the way from the lower number."""
    if found is None or found.detail.transform is None:
        return None
    return found.detail.transform if content == found.a else inverse(found.detail.transform)


def _words(found: Relation | None, second: int | None, decided: str | None) -> list[str]:
    """Return what the second is against the first, how sure that is, and what somebody said."""
    said = [found.detail.words_of("a" if second == found.a else "b")] if found else []
    said = [*filter(None, said)]
    if found and found.kind not in (PAIR, SAME_PIXELS):
        said.append(f"{words.percent(found.probability)} likely the same shot")
    return [*said, *([decided] if decided else [])]


def _decided(catalogue: Catalogue, a: int, b: int) -> str | None:
    """Return what somebody decided of two contents."""
    found = (one for one in decided_among(catalogue, {a, b}) if {one.a, one.b} == {a, b})
    one = next(found, None)
    return None if one is None else _decision(one, a)


def _decision(decided: Decided, a: int) -> str:
    if decided.verdict == NOT_DUPLICATES:
        return "you said: no duplicates"
    if decided.verdict == KEEP:
        return f"you said: keep the {'first' if decided.a == a else 'second'}"
    return "you said: the same"


def _side(file: File) -> Side:
    size = (file.width, file.height) if file.width and file.height else None
    version, thumb = words.version(file.sha256), words.thumb(file.id, file.sha256)
    return Side(file.id, words.name(file.path), size, version, thumb, file.online)


def _photo(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    return whole_number(text, f"{name}: '{text[:40]}' is no number of a photo.")
