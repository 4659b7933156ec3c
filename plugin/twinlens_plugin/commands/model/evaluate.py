"""``twinlens model eval``: how well does a model find what a user put together?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from twinlens.messages import decode_bytes
from twinlens.models import get_model
from twinlens_plugin import output
from twinlens_plugin.completing import known_to_library, models
from twinlens_plugin.errors import ChildError
from twinlens_plugin.evaluating import evaluate as ask_worker
from twinlens_plugin.handover import is_outgrown
from twinlens_plugin.labelled import Labels, read_labels
from twinlens_plugin.options import PATH, Command, Session, common
from twinlens_plugin.progress import Bar, Progress
from twinlens_plugin.verdicts import Verdict, as_text

STEPS = {"embed": "Embedding", "compare": "Comparing"}


@click.command("eval", cls=Command)
@click.argument("folder", type=PATH)
@click.option(
    "--model",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=known_to_library(models),
    help="Judge this model instead of the one in use. Give it again to compare models.",
)
@click.option(
    "--weights",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="Weights of the first --model; the second --weights are those of the second, and so on.",
)
@click.option(
    "--depth",
    type=click.IntRange(1),
    metavar="N",
    help="Take the first N folders below FOLDER for the group, not the one a photo lies in.",
)
@click.option(
    "--folders",
    "most",
    type=click.IntRange(0),
    default=10,
    metavar="N",
    help="List the N folders that the first model does worst on (10).",
)
@common
def evaluate(
    folder: bytes,
    names: tuple[str, ...],
    weights: tuple[str, ...],
    depth: int | None,
    most: int,
    session: Session,
) -> None:
    """Measure how well a model finds the photos that you put together.

    Below FOLDER, each folder holds photos that belong together: of one kind, one place, one thing.
    Every photo is asked about, and the others should come in the right order. Photos in FOLDER
    itself belong to nothing and are left out, and so are files that lie in two folders. Nothing is
    added to the library, and none is needed.

    Example:
      twinlens model eval ~/Pictures/by-subject
      twinlens model eval ~/kinds --model pocket --model torchvision:resnet50
    """
    models = _pair(names, weights)
    if not models:
        _refuse_outgrown(session)
    labels = read_labels(folder, depth)
    _say_what_is_missing(folder, labels)
    verdicts = _judge(session, labels, models)
    if session.as_json:
        output.write_json(*map(_as_json, verdicts))
    else:
        output.write_lines(as_text(verdicts, most=most))


def _pair(names: Sequence[str], weights: Sequence[str]) -> list[tuple[str, str]]:
    if len(weights) > len(names):
        raise click.UsageError("each --weights needs a --model that they belong to.")
    return list(zip(names, [*weights, *[""] * (len(names) - len(weights))], strict=True))


def _refuse_outgrown(session: Session) -> None:
    """Refuse to judge, for the library, a model whose weights went with the twinlens before."""
    if not session.library.catalogue.exists():
        return
    with session.open_to_read() as catalogue:
        model = get_model(catalogue, "serving")
        outgrown = model is not None and is_outgrown(model, session.settings, catalogue)
    if model is not None and outgrown:
        raise ChildError(
            f"{model.name}: the library's index is of another version than the one that came with"
            " this twinlens, which alone can be judged. Do that: add --model pocket. Have the"
            " library use it: twinlens scan"
        )


def _say_what_is_missing(top: bytes, labels: Labels) -> None:
    for folder in labels.closed:
        output.remark(
            f"{output.shown(folder)}: cannot be listed; left out. Correct its permissions."
        )
    if labels.loose:
        photos = output.plural(labels.loose, "photo")
        output.remark(f"{output.shown(top)}: {photos} in no folder of their own; left out.")


def _judge(session: Session, labels: Labels, models: list[tuple[str, str]]) -> list[Verdict]:
    reader = _Reader()
    try:
        for record in ask_worker(session, labels.photos, models):
            reader.take(record)
    finally:
        reader.close()
    return reader.verdicts


class _Reader:
    """Shows what the worker says on its way, and keeps its verdicts."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self._bar = Bar("")
        self._step = ""
        self._left_out: Counter[str] = Counter()

    def take(self, record: dict[str, Any]) -> None:
        if "result" in record:
            self.verdicts.append(record["result"])
        elif "left_out" in record:
            self._note(record)
        else:
            self._show(record)

    def close(self) -> None:
        self._bar.close()
        for kind, why in (
            ("unreadable", "cannot be read; left out"),
            ("twice", "the same file as another of their folder; each counts once"),
            ("ambiguous", "the same file in two folders; left out"),
        ):
            if count := self._left_out[kind]:
                output.remark(f"{output.plural(count, 'photo')}: {why}.")

    def _note(self, record: dict[str, Any]) -> None:
        kind = record["kind"]
        self._left_out[kind] += 1
        if kind != "twice":  # which of them counts makes no difference
            path = output.shown(decode_bytes(record["left_out"]))
            self._bar.say(f"{path}: {record['reason'].rstrip('.')}.")

    def _show(self, record: dict[str, Any]) -> None:
        step = f"{STEPS[record['step']]} ({record['model']})"
        if step != self._step:
            self._bar.close()
            self._bar, self._step = Bar(step), step
        self._bar.show(Progress(record["of"], record["of"] - record["done"]))


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {**verdict, "by_folder": list(map(_folder_as_json, verdict["by_folder"]))}


def _folder_as_json(one: Verdict) -> dict[str, Any]:
    other = one["mistaken_for"]
    named = {"mistaken_for": None} if other is None else output.json_path(decode_bytes(other), "mistaken_for")  # fmt: skip
    return {**one, **output.json_path(decode_bytes(one["folder"]), "folder"), **named}
