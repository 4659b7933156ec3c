"""What became of the photos of a run, in words and in JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from twinlens_plugin import output
from twinlens_plugin.acting.actions import Action, Order
from twinlens_plugin.acting.applying import Outcome
from twinlens_plugin.acting.records import paths_as_json
from twinlens_plugin.acting.tagging import NO_GROUP

STATES = ("done", "would", "already", "skipped", "failed")


def as_json(outcome: Outcome, order: Order) -> dict[str, object]:
    """Return one outcome as ``apply --json`` and ``tag --json`` print it."""
    group = None if outcome.group.kind == NO_GROUP else outcome.group
    return {
        **output.json_path(outcome.photo.path),
        **(output.json_path(group.keeper.path, "keeper") if group else {"keeper": None}),
        "group": group.name if group else None,
        "action": order.action,
        "outcome": outcome.state,
        "reason": outcome.reason,
        **({"starred": True} if outcome.starred else {}),
        **(output.json_path(outcome.target, "target") if outcome.target else {}),
        **({"sidecars": paths_as_json([*outcome.sidecars])} if outcome.sidecars else {}),
    }


def as_text(outcome: Outcome, order: Order) -> Iterator[str]:
    """Yield the line of a photo, or one for each of its sidecars."""
    would = "would " if outcome.state == "would" else ""
    if order.action is Action.TAG:
        clear = outcome.group.kind == NO_GROUP
        verb, part = ("clear", "") if clear else ("tag", f"  ({_part(outcome)})")
        for path in outcome.sidecars:
            yield f"{would}{verb}  {output.shown(path)}{part}"
        return
    line = f"{would}{order.action}  {output.shown(outcome.photo.path)}"
    if outcome.target is not None:
        line += f"  to {output.shown(outcome.target)}"
    yield f"{line}  (kept: {output.shown(outcome.group.keeper.path)})"


def _part(outcome: Outcome) -> str:
    if not outcome.group.removals:
        return f"group {outcome.group.name}"
    return "spare" if outcome.photo.remove else "keeper"


def sum_as_json(
    counts: Mapping[str, int], size: int, run: str | None, starred: int = 0
) -> dict[str, object]:
    """Return the last object: how many photos had which outcome, and how many kept their stars."""
    sums = {state: counts[state] for state in STATES}
    return {"run": run, "bytes": size, **sums, **({"starred": starred} if starred else {})}


def starred_as_text(starred: int) -> Iterator[str]:
    """Yield how many spare photos were not rejected, and what would."""
    if starred:
        are = output.plural(
            starred, "spare photo keeps its stars and is", "spare photos keep their stars and are"
        )
        yield f"{are} not rejected (to reject those with up to N stars: --overwrite-ratings N)."


def sum_as_text(
    counts: Mapping[str, int], size: int, order: Order, run: str | None
) -> Iterator[str]:
    """Yield what it came to, and what can be done next."""
    state = "done" if run else "would"
    form = _CLEARED if order.clear else _FORMS[order.action]
    said = [f"{output.plural(counts[state], 'photo')} {form[run is None]}"]
    said += [f"{counts[other]:,} {other}" for other in ("skipped", "failed") if counts[other]]
    said += [f"{counts['already']:,} done already"] if counts["already"] else []
    won = f" ({output.megabytes(size)})" if size and order.action is not Action.TAG else ""
    yield f"{said[0]}{won}{''.join(f', {more}' for more in said[1:])}."
    if run and counts["done"]:
        yield f"Back again: twinlens undo {run}"
    elif not run and counts["would"]:
        yield "This was a dry run. To do it, add --yes."
    elif order.action is Action.TAG and not (counts["skipped"] or counts["failed"]):
        yield "There is nothing to do."


_FORMS = {
    Action.TAG: ("tagged", "would be tagged"),
    Action.MOVE: ("moved", "would be moved"),
    Action.TRASH: ("in the trash", "would go to the trash"),
    Action.HARDLINK: ("linked", "would be linked"),
    Action.REFLINK: ("linked", "would be linked"),
}
_CLEARED = ("cleared", "would be cleared")
