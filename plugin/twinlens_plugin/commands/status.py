"""``twinlens status``: what does the library hold, and what is it waiting for?"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from twinlens import dispatch, ledger, snapshot, tunings
from twinlens.broker import masked
from twinlens.catalogue import Catalogue
from twinlens.errors import SnapshotError, TuningError
from twinlens.models import Model, get_model, waiting
from twinlens.roots import Root, list_roots
from twinlens_plugin import handover, output
from twinlens_plugin.options import Command, Session, common

Facts = dict[str, Any]


@click.command("status", cls=Command)
@common
def command(session: Session) -> None:
    """Say what the library holds and what it is waiting for.

    Photos, the work that remains, folders, model, index, the processes that run, and whatever
    stands in their way.

    Example:
      twinlens status
      twinlens status --json | jq .photos.pending
    """
    with session.open_to_read() as catalogue:
        facts = _facts(session, catalogue)
    if session.as_json:
        output.write_json(facts)
    else:
        output.write_lines(_as_text(facts))


def _facts(session: Session, catalogue: Catalogue) -> Facts:
    serving, target = get_model(catalogue, "serving"), get_model(catalogue, "target")
    broker = session.settings.broker
    return {
        **output.json_path(os.fsencode(session.library.folder), "library"),
        "photos": asdict(ledger.counts(catalogue)),
        "roots": [_root(catalogue, root) for root in list_roots(catalogue)],
        "model": {
            "serving": _model(catalogue, serving),
            "target": _model(catalogue, target),
            "waiting": asdict(waiting(catalogue)),
        },
        "index": _index(session, catalogue, serving) if serving else None,
        "running": {role: session.library.locked(role) for role in ("watcher", "worker")},
        "broker": masked(broker) if broker else None,
        "problems": [problem] if (problem := catalogue.meta(dispatch.PROBLEM)) else [],
        "handover": handover.now(session, catalogue) or None,
    }


def _root(catalogue: Catalogue, root: Root) -> Facts:
    counts = ledger.counts(catalogue, root.id)
    swept_at = catalogue.value("SELECT swept_at FROM roots WHERE id = ?", (root.id,))
    return {
        "name": root.name,
        **output.json_path(root.path),
        "online": root.online,
        "reason": root.reason,
        "photos": counts.photos,
        "pending": counts.pending + counts.leased,
        "quarantined": counts.quarantined,
        "swept_at": swept_at,
    }


def _model(catalogue: Catalogue, model: Model | None) -> Facts | None:
    if model is None:
        return None
    return {
        "name": model.name,
        "digest": model.digest,
        "dimension": model.dimension,
        "copy_threshold": model.copy_threshold,
        "labels": model.labels,
        "tuned": _tuning(catalogue, tunings.serving_id(catalogue, model)),
        "tuning_wanted": _tuning(catalogue, tunings.wanted_id(catalogue, model)),
    }


def _tuning(catalogue: Catalogue, tuning_id: int) -> Facts | None:
    found = tunings.fitted(catalogue, tuning_id)
    return {"photos": found.photos, "fitted_at": found.fitted_at} if found else None


def _index(session: Session, catalogue: Catalogue, model: Model) -> Facts:
    vectors = catalogue.value("SELECT count(*) FROM vectors WHERE model_id = ?", (model.id,))
    try:
        space = tunings.serving(catalogue, model)
        folder = snapshot.snapshot_folder(session.library.index, space)
        manifest = snapshot.read_manifest(folder, space)
    except (SnapshotError, TuningError) as error:
        return {"vectors": vectors, "snapshot": None, "behind": vectors, "problem": str(error)}
    behind = catalogue.value(
        "SELECT count(DISTINCT content_id) FROM log WHERE seq > ? AND model_id = ?",
        (manifest.seq, model.id),
    )
    return {"vectors": vectors, "snapshot": manifest.count, "behind": behind, "problem": None}


def _as_text(facts: Facts) -> Iterator[str]:
    photos = facts["photos"]
    waiting = photos["pending"] + photos["leased"]
    quarantined = photos["quarantined"]
    hint = "  (list them: twinlens quarantine)" if quarantined else ""
    rows = [
        ("Library", facts["library"]),
        ("Photos", f"{photos['photos']:,}"),
        ("Waiting", f"{waiting:,}, {photos['leased']:,} of them in work"),
        ("Unreadable", f"{quarantined:,}{hint}"),
        ("Model", _model_text(facts["model"])),
        ("Index", _index_text(facts["index"])),
        ("Running", ", ".join(r for r, runs in facts["running"].items() if runs) or "nothing"),
        *([("Broker", facts["broker"])] if facts["broker"] else []),
        *([("Note", facts["handover"])] if facts["handover"] else []),
        *(("Problem", problem) for problem in facts["problems"]),
    ]
    yield from output.columns(rows)
    yield "Folders" if facts["roots"] else "No folders. Add one: twinlens scan FOLDER"
    yield from output.columns([_root_text(root) for root in facts["roots"]], indent=2)


def _root_text(root: Facts) -> tuple[str, ...]:
    state = "" if root["online"] else f"  OFFLINE: {root['reason']}"
    swept = root["swept_at"]
    ago = "never compared" if swept is None else f"compared {_ago(time.time() - swept)}"
    path = output.shown(root["path"].encode("utf-8", "surrogateescape"))
    return f"{root['photos']:,} photos".rjust(9), ago, path + state


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"


def _tuned(model: Facts) -> str:
    tuned, wanted = model["tuned"], model["tuning_wanted"]
    if wanted != tuned:
        on = f"tuned on {wanted['photos']:,} photos" if wanted else "untuned"
        return f", soon {on}"
    return f", tuned on {tuned['photos']:,} photos" if tuned else ""


def _model_text(model: Facts) -> str:
    serving, target = model["serving"], model["target"]
    if serving is None:
        return "none yet"
    text = f"{serving['name']} ({serving['digest'][:12]}, {serving['dimension']} numbers){_tuned(serving)}"
    away = model["waiting"]["away"]
    if target != serving:
        text += f", until {target['name']} ({target['digest'][:12]}) has caught up"
        if away and not model["waiting"]["here"]:
            return f'{text}: {_away(away)} (a day at most; sooner: the same "twinlens model use" with --now)'
    return f"{text}, {_away(away)}" if away else text


def _away(count: int) -> str:
    return f"{output.plural(count, 'photo')} to embed on disks that are away"


def _index_text(index: Facts | None) -> str:
    if index is None:
        return "none yet"
    if index["problem"]:
        return f"{index['vectors']:,} vectors, no snapshot in use: {index['problem']}"
    return f"{index['vectors']:,} vectors, {index['behind']:,} since the last snapshot"
