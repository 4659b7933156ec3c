"""Plans on the page: made of what is listed, looked at whole, and thinned out, before anything goes.

Nothing is removed by any request here: ``acting`` starts that, and only for the revision of a plan
that the overview has shown.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from twinlens.roots import list_roots, why_offline
from twinlens_plugin import output
from twinlens_plugin.acting.actions import Action
from twinlens_plugin.review import acting
from twinlens_plugin.review.census import LOOK_WORDS, NAMED_FOLDERS, Counted
from twinlens_plugin.review.decide import json_of
from twinlens_plugin.review.desk import Desk
from twinlens_plugin.review.draft import Draft, Spot
from twinlens_plugin.review.planview import (
    GROUPS_A_PAGE,
    Chosen,
    Places,
    folder_name,
    view,
)
from twinlens_plugin.review.problems import Refused, whole_number
from twinlens_plugin.review.state import State


def routes(state: State) -> list[Route]:
    """Return the addresses of plans, and of what acts on them."""
    desk = Desk.of(state)
    counted = Counted()

    def overview(request: Request) -> Response:
        name = request.path_params["plan"]
        with desk.drafts.open(name) as draft:
            if desk.applied(name) and (job := desk.jobs.of_draft(name)) is not None:
                return RedirectResponse(f"/plans/jobs/{job.id}", 303)
            return _overview(desk, counted, request, draft)

    async def make(request: Request) -> Response:
        body = await json_of(request)
        name, missing = await run_in_threadpool(desk.make, body)
        return JSONResponse({"url": f"/plans/{name}", "missing": missing}, 201)

    async def leave(request: Request) -> Response:
        body = await json_of(request)
        said = await run_in_threadpool(_leave, desk, request.path_params["plan"], body)
        return JSONResponse(said)

    async def discard(request: Request) -> Response:
        await json_of(request)
        await run_in_threadpool(_discard, desk, request.path_params["plan"])
        return JSONResponse({"url": "/plans"})

    return [
        *acting.routes(desk),  # before {plan}, which "jobs" would be
        Route("/plans", make, methods=["POST"], name="make_plan"),
        Route("/plans/{plan}", overview, methods=["GET"], name="plan"),
        Route("/plans/{plan}/leave", leave, methods=["POST"], name="leave_out"),
        Route("/plans/{plan}/discard", discard, methods=["POST"], name="discard_plan"),
    ]


def _overview(desk: Desk, counted: Counted, request: Request, draft: Draft) -> Response:
    chosen = _part(request.query_params)
    numbers = chosen.groups(draft)
    page = _number(request.query_params.get("page", "1"))
    pages = max(1, -(-len(numbers) // GROUPS_A_PAGE))
    page = min(page, pages)
    shown = numbers[(page - 1) * GROUPS_A_PAGE : page * GROUPS_A_PAGE]
    census = counted.of(draft)
    with desk.state.catalogue() as catalogue:
        roots = list_roots(catalogue)
        groups = view(draft, shown, catalogue)
    places = Places(roots)
    folders = [
        (folder_name(folder), places.words(folder), output.shown(folder), part)
        for folder, part in census.folders.items()
    ]
    context = {
        "page": "plan",
        "draft": draft,
        "size": draft.size,
        "census": census,
        "look_words": LOOK_WORDS,
        "folders": folders[:NAMED_FOLDERS],
        "more_folders": folders[NAMED_FOLDERS:],
        "away": [root.name for root in roots if why_offline(root) is not None],
        "groups": groups,
        "chosen": chosen,
        "count": len(numbers),
        "first": (page - 1) * GROUPS_A_PAGE,
        "page_number": page,
        "pages": pages,
        "actions": acting.ACTIONS,
        "exiftool": shutil.which("exiftool") is not None,
        "verbs": {action.value: acting.VERBS[action] for action in Action},
    }
    return desk.state.templates.TemplateResponse(request, "plan.html", context)


def _part(given: Mapping[str, str]) -> Chosen:
    return Chosen(
        given.get("look", ""),
        given.get("kind", ""),
        given.get("folder", ""),
        given.get("left", "") == "1",
    ).check()


def _number(text: str) -> int:
    return max(1, whole_number(text, f"'{text}' is no number of a page."))


def _leave(desk: Desk, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Leave something out of a draft, or take it in again; return what it comes to now."""
    leave = body.get("leave")
    if not isinstance(leave, bool):
        raise Refused("leave: must be true or false.")
    with desk.drafts.open(name) as draft:
        draft.refuse_stale(
            body.get("revision"), "revision: say which overview of the plan you have seen."
        )
        if desk.applied(name):
            raise Refused("This plan was carried out. Make a new one from the list of groups.", 409)
        spots = _spots(draft, body)
        (draft.leave if leave else draft.take)(spots)
        desk.drafts.changed(draft)
        return {
            "revision": draft.revision,
            "groups": draft.size.groups,
            "photos": draft.size.photos,
            "bytes": draft.size.bytes,
            "size": output.megabytes(draft.size.bytes),
        }


def _spots(draft: Draft, body: Mapping[str, Any]) -> list[Spot]:
    """Return the shots that a request names: ``group``, ``group`` and ``photo``, or ``part``."""
    part, group, photo = body.get("part"), body.get("group"), body.get("photo")
    if isinstance(part, dict) and all(isinstance(value, str) for value in part.values()):
        chosen = _part(part)
        return [spot for n in chosen.groups(draft) for spot in chosen.spots(draft, n)]
    if type(group) is not int or not 0 <= group < len(draft.plan.groups):
        raise Refused("group: there is no such group in this plan. Load the page again.", 404)
    if photo is None:
        return draft.spots(group)
    if type(photo) is not int:
        raise Refused("photo: must be a number.")
    return [Spot(group, photo)]


def _discard(desk: Desk, name: str) -> None:
    if desk.applied(name):
        raise Refused("This plan was carried out, and stays so that it can be undone.", 409)
    desk.drafts.forget(name)
