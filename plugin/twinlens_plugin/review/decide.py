"""Decisions made on the page: those of ``twinlens decide``, each of which can be taken back."""

from __future__ import annotations

import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twinlens.catalogue import Catalogue
from twinlens_plugin import decisions, output
from twinlens_plugin.decisions import KEEP, NOT_DUPLICATES, SAME, VERDICTS, Decision
from twinlens_plugin.review import ids
from twinlens_plugin.review.problems import Refused
from twinlens_plugin.review.state import State
from twinlens_plugin.review.words import version

MOST_PHOTOS: Final = 5000
"""Of one decision."""
MOST_AT_ONCE: Final = 12_000
"""Pairs that one decision may stand for, 155 photos each with each: a second of the write lock."""
MOST_PAIRS: Final = 200_000
"""Pairs that can be taken back; the oldest decisions go first. 60 MB at most."""

_SAID: Final = {
    NOT_DUPLICATES: "Not duplicates",
    SAME: "The same photo",
    KEEP: "Keep",
}


class Change(NamedTuple):
    """What a decision replaced, and what it wrote."""

    before: list[Decision]
    after: list[Decision]


class Undos:
    """What can be taken back, by tokens; it ends with the process."""

    def __init__(self) -> None:
        self._changes: OrderedDict[str, Change] = OrderedDict()
        self._pairs = 0
        self._lock = threading.Lock()

    def keep(self, change: Change) -> str:
        """Keep a change; return its token."""
        token = secrets.token_urlsafe(16)
        with self._lock:
            self._changes[token] = change
            self._pairs += len(change.after)
            while self._pairs > MOST_PAIRS and len(self._changes) > 1:
                self._pairs -= len(self._changes.popitem(last=False)[1].after)
        return token

    def get(self, token: str) -> Change:
        """Return a change. Raises Refused."""
        with self._lock:
            found = self._changes.get(token)
        if found is None:
            raise Refused(
                "That cannot be taken back from here. Use: twinlens decide PHOTO PHOTO --undo", 410
            )
        return found

    def forget(self, token: str) -> None:
        """Forget a change, once it is taken back."""
        with self._lock:
            change = self._changes.pop(token, None)
            self._pairs -= len(change.after) if change else 0


def routes(state: State) -> list[Route]:
    """Return the addresses of decisions."""
    undos = Undos()

    async def decide(request: Request) -> Response:
        body = await json_of(request)
        return JSONResponse(await run_in_threadpool(_decide, state, undos, body))

    async def undo(request: Request) -> Response:
        body = await json_of(request)
        return JSONResponse(await run_in_threadpool(_undo, state, undos, body))

    return [
        Route("/decisions", decide, methods=["POST"], name="decide"),
        Route("/decisions/undo", undo, methods=["POST"], name="undo_decision"),
    ]


async def json_of(request: Request) -> dict[str, Any]:
    """Return the body, a JSON object. Raises Refused."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise Refused(f"The request is no JSON: {error}.") from error
    if not isinstance(body, dict):
        raise Refused("The request is no JSON object.")
    return body


def _decide(state: State, undos: Undos, body: dict[str, Any]) -> dict[str, str]:
    verdict, keep = body.get("verdict"), body.get("keep")
    if verdict not in VERDICTS:
        raise Refused(f"verdict: must be one of: {', '.join(VERDICTS)}.")
    photos = photo_ids(body.get("photos"))
    if (verdict == KEEP) != (keep is not None) or (keep is not None and keep not in photos):
        raise Refused("keep: must be one of the photos where the verdict is keep, else null.")
    _refuse_many(verdict, len(photos))
    seen = _seen(body.get("seen", {}))
    with state.catalogue() as catalogue:
        hashes = {photo: _hash(catalogue, photo, seen.get(str(photo))) for photo in photos}
    made = decisions.make(
        list(hashes.values()), verdict, hashes.get(keep) if keep else None, state.clock()
    )
    if not made:
        raise Refused(
            "They have the same bytes, so there is nothing to decide. Which file stays:"
            " twinlens duplicates --keep path:GLOB",
            409,
        )
    with state.catalogue_to_write() as catalogue, catalogue.write_tx() as tx:
        before = decisions.among(tx, made)
        decisions.store(tx, made)
    words = f"{_SAID[verdict]}: {output.plural(len(photos), 'photo')}."
    return {"undo": undos.keep(Change(before, made)), "words": words}


def _refuse_many(verdict: str, photos: int) -> None:
    pairs = photos - 1 if verdict == KEEP else photos * (photos - 1) // 2
    if pairs > MOST_AT_ONCE:
        raise Refused(
            f"{photos} photos are {pairs:,} pairs to remember, more than this page takes at once."
            " Use: twinlens decide --files-from FILE"
        )


def _seen(given: object) -> Mapping[str, str]:
    """Return which picture of each photo the page shows, by the photo's number. Raises Refused."""
    if not isinstance(given, dict) or not all(isinstance(one, str) for one in given.values()):
        raise Refused("seen: must be the versions of photos, by their numbers.")
    return given


def _hash(catalogue: Catalogue, photo: int, seen: str | None) -> bytes:
    """Return what a photo is remembered by; one of a disk that is away is believed.

    ``seen``: the version of the picture that was decided on. A page may stand open for days, and a
    photo that was edited and read anew meanwhile has the same number.
    """
    found = ids.find(catalogue, photo)
    if seen is not None and seen != version(found.sha256):
        raise Refused(
            f"{output.shown(found.path)}: changed since this page was drawn. Load the page again.",
            409,
        )
    if found.online:
        found.open().close()
    return found.sha256


def _undo(state: State, undos: Undos, body: dict[str, Any]) -> dict[str, str]:
    token = body.get("undo")
    if not isinstance(token, str):
        raise Refused("undo: must be what the decision answered.")
    change = undos.get(token)
    with state.catalogue_to_write() as catalogue, catalogue.write_tx() as tx:
        if decisions.among(tx, change.after) != change.after:
            raise Refused("Decided anew since. Take that back first.", 409)
        decisions.remove(tx, change.after)
        decisions.store(tx, change.before)
    undos.forget(token)
    return {"words": "Taken back."}


def photo_ids(given: object, least: int = 2) -> Sequence[int]:
    """Return the numbers of photos, each once. Raises Refused."""
    if not isinstance(given, list) or not all(
        type(one) is int and 0 < one < 2**63 for one in given
    ):
        raise Refused("photos: must be a list of numbers.")
    distinct = list(dict.fromkeys(given))
    if not least <= len(distinct) <= MOST_PHOTOS:
        raise Refused(f"photos: must be {least} to {MOST_PHOTOS} photos.")
    return distinct
