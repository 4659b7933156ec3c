"""Carrying out a plan that was shown, looking on, and taking it back.

The page acts on no photo itself: it starts ``twinlens apply`` and ``twinlens undo`` (see ``jobs``).
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twinlens.roots import list_roots
from twinlens_plugin import output
from twinlens_plugin.acting.actions import Action
from twinlens_plugin.acting.applying import folder_to_move_to, photos_to_act_on
from twinlens_plugin.review.decide import json_of
from twinlens_plugin.review.desk import Desk
from twinlens_plugin.review.draft import Draft
from twinlens_plugin.review.drafts import Listed, plan_id
from twinlens_plugin.review.jobs import Job, Progress
from twinlens_plugin.review.problems import Refused, whole_number

PROBLEMS_A_PAGE = 200


class Choice(NamedTuple):
    """An action, for people."""

    action: Action
    title: str
    meaning: str


ACTIONS = (
    Choice(
        Action.TRASH,
        "Move to the trash",
        "The photos go to this computer's trash, where you can look at them and put them back until"
        " you empty it.",
    ),
    Choice(
        Action.MOVE,
        "Move to a folder",
        "The photos go to a folder that you name, in the same subfolders as now. Nothing there is"
        " overwritten.",
    ),
    Choice(
        Action.TAG,
        "Mark in sidecars",
        "No photo moves. Keywords in XMP sidecars say which photos are spare and which stay, for your"
        " photo manager to filter by.",
    ),
    Choice(
        Action.HARDLINK,
        "Replace by hard links",
        "Of photos that are the very same file, one is kept and the other paths lead to it: the space"
        " is won, and nothing leaves its folder. A program that writes into one writes into all.",
    ),
    Choice(
        Action.REFLINK,
        "Share the space",
        "As with hard links, but each stays a file of its own. Only some disks can do it (btrfs, XFS).",
    ),
)

VERBS = {
    Action.TRASH: ("Move {} to the trash", "Moving {} to the trash", "{} in the trash"),
    Action.MOVE: ("Move {} to the folder", "Moving {} to the folder", "{} moved"),
    Action.TAG: ("Mark {} as spare", "Marking {} in sidecars", "{} marked"),
    Action.HARDLINK: ("Replace {} by hard links", "Replacing {} by hard links", "{} linked"),
    Action.REFLINK: ("Have {} share space", "Having {} share space", "{} linked"),
}
"""What the button says, what is said while it is done, and after; of a number of photos."""


def routes(desk: Desk) -> list[Route]:
    """Return the addresses that act, and the list of plans and past runs."""

    def listing(request: Request) -> Response:
        return _listing(desk, request)

    async def apply(request: Request) -> Response:
        body = await json_of(request)
        job = await run_in_threadpool(_apply, desk, request.path_params["plan"], body)
        return JSONResponse({"url": f"/plans/jobs/{job.id}", "job": job.id}, 202)

    async def undo(request: Request) -> Response:
        body = await json_of(request)
        job = await run_in_threadpool(_undo, desk, body)
        return JSONResponse({"url": f"/plans/jobs/{job.id}", "job": job.id}, 202)

    def page(request: Request) -> Response:
        return _job_page(desk, request, desk.jobs.get(request.path_params["job"]))

    def progress(request: Request) -> Response:
        job = desk.jobs.get(request.path_params["job"])
        return JSONResponse(_as_json(job, desk.jobs.progress(job)))

    def progress_of_plan(request: Request) -> Response:
        job = desk.jobs.of_draft(request.path_params["plan"])
        if job is None:
            raise Refused("This plan was not carried out from here.", 404)
        return JSONResponse(_as_json(job, desk.jobs.progress(job)))

    async def stop(request: Request) -> Response:
        await json_of(request)
        job = desk.jobs.get(request.path_params["job"])
        stopped = await run_in_threadpool(desk.jobs.stop, job)
        words = "Stopping after this photo." if stopped else "It has ended already."
        return JSONResponse({"words": words})

    return [
        Route("/plans", listing, methods=["GET"], name="plans"),
        Route("/plans/undo", undo, methods=["POST"], name="undo_run"),
        Route("/plans/jobs/{job}", page, methods=["GET"], name="job"),
        Route("/plans/jobs/{job}/progress", progress, methods=["GET"], name="job_progress"),
        Route("/plans/jobs/{job}/stop", stop, methods=["POST"], name="stop_job"),
        Route("/plans/{plan}/apply", apply, methods=["POST"], name="apply_plan"),
        Route("/plans/{plan}/progress", progress_of_plan, methods=["GET"], name="plan_progress"),
    ]


# --- acting ----------------------------------------------------------------------------------------


def _apply(desk: Desk, name: str, body: Mapping[str, Any]) -> Job:
    """Start carrying out a plan. Raises Refused where it is not the plan that was shown."""
    action, more = _order(desk, body)
    with desk.drafts.open(name) as draft:
        refuse_unseen(draft, body)
        desk.jobs.refuse_another()
        # One that goes on stays the same plan, so that what is done of it is known.
        settled = draft if desk.applied(name) else desk.drafts.settle(draft)
        plan, file = settled.plan, desk.drafts.file(name)
        return desk.jobs.start(
            "apply",
            [str(file), "--yes", "--action", action.value, *more],
            total=sum(1 for _ in photos_to_act_on(plan, action)),
            now=desk.state.clock(),
            draft=name,
            plan=plan.id,
            action=action.value,
        )


def refuse_unseen(draft: Draft, body: Mapping[str, Any]) -> None:
    """Raise Refused unless a request tells what the overview of this very revision showed."""
    draft.refuse_stale(
        body.get("revision"), "Nothing is removed before the overview of the plan was shown."
    )
    photos = body.get("photos")
    if type(photos) is not int or photos != draft.size.photos:
        raise Refused(
            f"You confirmed {photos} photos, and the plan is about {draft.size.photos:,}."
            " Load the page again.",
            409,
        )


def _order(desk: Desk, body: Mapping[str, Any]) -> tuple[Action, list[str]]:
    """Return the action that a request asks for, and the options of the command line for it."""
    try:
        action = Action(str(body.get("action", "")))
    except ValueError:
        raise Refused("action: must be one of: " + ", ".join(Action) + ".") from None
    merge, folder = body.get("merge_metadata", False), body.get("to")
    if not isinstance(merge, bool):
        raise Refused("merge_metadata: must be true or false.")
    more = ["--merge-metadata"] if merge and action is not Action.TAG else []
    if action is Action.MOVE:
        more += ["--to", _folder(desk, folder)]
    return action, more


def _folder(desk: Desk, given: object) -> str:
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        raise Refused("Name the folder to move the photos to.")
    folder = os.path.expanduser(given.strip())  # noqa: PTH111  a str is what the command takes
    if not os.path.isabs(folder):  # noqa: PTH117
        raise Refused(f"{given}: write the whole path of the folder, from / or ~ on.")
    with desk.state.catalogue() as catalogue:
        folder_to_move_to(os.fsencode(folder), list_roots(catalogue))
    return folder


def _undo(desk: Desk, body: Mapping[str, Any]) -> Job:
    """Start taking back all that was done of a draft, or one run. Raises Refused."""
    name, run = body.get("plan"), body.get("run")
    if isinstance(name, str):
        with desk.drafts.open(name):
            file = desk.drafts.file(name)
        plan = plan_id(file) or ""
        total = sum(one.to_undo for one in desk.runs.of_plan(plan))
        which, draft = str(file), name
    elif isinstance(run, str):
        found = next((one for one in desk.runs.all() if one.name == run), None)
        if found is None:
            raise Refused("There is no such run. What was done is listed under Plan.", 404)
        total, which, draft, plan = found.to_undo, found.name, "", found.plan
    else:
        raise Refused("Say which: run, or plan.")
    if not total:
        raise Refused("There is nothing to undo: it is all back already.", 409)
    return desk.jobs.start(
        "undo", [which], total=total, now=desk.state.clock(), draft=draft, plan=plan
    )


# --- looking on ------------------------------------------------------------------------------------


def _as_json(job: Job, progress: Progress) -> dict[str, Any]:
    counts = progress.counts
    return {
        "running": progress.running,
        "total": job.total,
        "seen": min(progress.seen, job.total),
        "done": counts["done"] + counts["undone"],
        "already": counts["already"],
        "skipped": counts["skipped"] + counts["kept"],
        "failed": counts["failed"],
        "bytes": progress.won,
        "current": _name(progress.current),
        "message": progress.message,
    }


def _name(path: bytes | None) -> str:
    return output.shown(path.rpartition(b"/")[2]) if path else ""


def _job_page(desk: Desk, request: Request, job: Job) -> Response:
    progress = desk.jobs.progress(job)
    start = _start(request)
    problems = desk.jobs.problems(job, start, PROBLEMS_A_PAGE + 1)
    said = _as_json(job, progress)
    context = {
        "page": "plan",
        "job": job,
        "said": said,
        "heading": _heading(job, said),
        "problems": [(output.shown(path), why) for path, why in problems[:PROBLEMS_A_PAGE]],
        "again": _again(desk, job) if progress.ended and progress.seen < job.total else None,
        "start": start,
        "next": start + PROBLEMS_A_PAGE if len(problems) > PROBLEMS_A_PAGE else None,
        "remarks": [] if progress.running else desk.jobs.remarks(job),
        "stopped": progress.ended and progress.seen < job.total,
        "undoable": sum(run.to_undo for run in desk.runs.of_plan(job.plan)) if job.plan else 0,
        "has_plan": bool(job.draft) and desk.drafts.file(job.draft).exists(),
    }
    return desk.state.templates.TemplateResponse(request, "plan_job.html", context)


def _again(desk: Desk, job: Job) -> Draft | None:
    """Return the draft with which a stopped apply goes on, None where that is not possible."""
    if job.kind != "apply" or not job.draft or plan_id(desk.drafts.file(job.draft)) != job.plan:
        return None
    with desk.drafts.open(job.draft) as draft:
        return draft


def _heading(job: Job, said: Mapping[str, Any]) -> str:
    count = output.plural(job.total if said["running"] else said["done"], "photo")
    if job.kind == "undo":
        return f"Bringing back {count}" if said["running"] else f"{count} back where they were"
    _, doing, done = VERBS[Action(job.action)]
    return (doing if said["running"] else done).format(count)


def _start(request: Request) -> int:
    text = request.query_params.get("start", "0")
    return whole_number(text, f"'{text}' is no number.")


# --- the list --------------------------------------------------------------------------------------


def _listing(desk: Desk, request: Request) -> Response:
    runs = desk.runs.all()
    last = next((run for run in runs if not run.closed and run.to_undo), None)
    context = {
        "page": "plan",
        "query": request.url.query,
        "drafts": _drafts(desk, {run.plan for run in runs}),
        "runs": [(run, _when(run.at), _done(run.action, run.actions)) for run in runs],
        "last": last.name if last else None,
        "running": desk.jobs.running(),
    }
    return desk.state.templates.TemplateResponse(request, "plans.html", context)


def _drafts(desk: Desk, applied: Collection[str]) -> list[tuple[Listed, str]]:
    """Return the plans that were not carried out, each with when it was made."""
    return [
        (one, _day_and_time(dt.datetime.fromtimestamp(one.at).astimezone()))
        for one in desk.drafts.listed()
        if one.plan not in applied
    ]


def _when(text: str) -> str:
    try:
        return _day_and_time(dt.datetime.fromisoformat(text))
    except ValueError:
        return text


def _day_and_time(when: dt.datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"


def _done(action: str, count: int) -> str:
    photos = output.plural(count, "photo")
    try:
        return VERBS[Action(action)][2].format(photos)
    except ValueError:
        return f"{photos}: {action}"
