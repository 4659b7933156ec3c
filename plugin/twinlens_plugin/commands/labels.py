"""``twinlens labels``: what does the model name in the photos?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from twinlens import labels
from twinlens.catalogue import Catalogue
from twinlens.errors import ModelError, PhotoError
from twinlens.labels import Label
from twinlens.models import Model, get_model
from twinlens_plugin import completing, output
from twinlens_plugin.answers import live_paths
from twinlens_plugin.errors import EmptyLibraryError
from twinlens_plugin.listed import read_list
from twinlens_plugin.naming import json_labels, percent
from twinlens_plugin.options import PATH, Command, Session, common, photo_list_option
from twinlens_plugin.photos import Lookup

Answer = tuple[bytes, tuple[Label, ...]]


@click.command("labels", cls=Command)
@click.argument("photos", nargs=-1, type=PATH, metavar="[PHOTO...]")
@click.option(
    "--find",
    metavar="LABEL",
    shell_complete=completing.known_to_library(completing.labels),
    help="List the photos with this label, the surest first.",
)
@click.option(
    "--min-probability",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="P",
    help="With --find: list no photo below this probability.",
)
@click.option("--paths", is_flag=True, help="With --find: print paths alone.")
@photo_list_option("Ask about", null="in --files-from and --paths; with --find it implies --paths")
@common
def command(
    photos: tuple[bytes, ...],
    find: str | None,
    min_probability: float,
    files_from: str | None,
    session: Session,
    *,
    paths: bool,
    null: bool,
) -> int:
    """Say what the model in use names in photos, or list the photos with a label.

    Without a PHOTO: every label of the library and how many photos carry it. Models with a
    classification head name things; the bundled one has none.

    Example:
      twinlens labels ~/Pictures/IMG_1041.JPG
      twinlens labels --find folding_chair --min-probability 0.5
      twinlens labels
    """
    given = [*photos, *(read_list(files_from, null=null) if files_from else ())]
    _check(given, files_from, find, paths=paths, as_json=session.as_json)
    with session.open_to_read() as catalogue:
        model = _labelling(session, catalogue)
        if find is not None:
            answers = _with_label(catalogue, model, find, min_probability)
            _write_found(session, answers, paths=paths or null, null=null)
            return 0
        if not given and not files_from:  # an empty list is about no photo, not about all
            _write_all(session, catalogue, model)
            return 0
        return _write_asked(session, catalogue, model, given)


def _check(
    given: Sequence[bytes], files_from: str | None, find: str | None, *, paths: bool, as_json: bool
) -> None:
    if find is not None and (given or files_from):
        raise click.UsageError("Name photos or --find a label, not both.")
    if paths and find is None:
        raise click.UsageError("--paths is for --find.")
    if paths and as_json:
        raise click.UsageError("--json and --paths exclude each other.")


def _labelling(session: Session, catalogue: Catalogue) -> Model:
    """Return the model that answers. Raises ModelError where its labels are not kept."""
    model = get_model(catalogue, "serving")
    if model is None:
        raise EmptyLibraryError(
            f"{session.library.folder}: this library holds no photos yet. Run: twinlens scan FOLDER"
        )
    if model.labels:
        return model
    target = get_model(catalogue, "target")
    if target is not None and target.labels:
        raise ModelError(f"{target.name} has not caught up yet. Run: twinlens scan")
    raise ModelError(
        f"no labels are kept of {model.name}. Use a model that names things, as in:"
        " twinlens model use torchvision:mobilenet_v3_large"
    )


def _with_label(catalogue: Catalogue, model: Model, find: str, least: float) -> list[Answer]:
    name = labels.one_word(find)
    found = labels.contents_with(catalogue, model, name, least=least)
    paths = live_paths(catalogue, [content_id for content_id, _ in found])
    return [
        (path, (Label(name, probability),))
        for content_id, probability in found
        for path in sorted(paths[content_id])
    ]


def _write_found(session: Session, answers: list[Answer], *, paths: bool, null: bool) -> None:
    if session.as_json:
        output.write_json(*(_as_json(path, found) for path, found in answers))
    elif paths:
        output.write_paths([path for path, _ in answers], null=null)
    else:
        rows = [(percent(found[0]), output.shown(path)) for path, found in answers]
        output.write_lines(output.columns(rows))


def _write_all(session: Session, catalogue: Catalogue, model: Model) -> None:
    held = labels.held(catalogue, model)
    if session.as_json:
        output.write_json(*({"label": each.name, "photos": each.photos} for each in held))
    else:
        output.write_lines(output.columns([(f"{each.photos:,}", each.name) for each in held]))


def _write_asked(
    session: Session, catalogue: Catalogue, model: Model, given: Sequence[bytes]
) -> int:
    failed = 0
    for asked in _asked(catalogue, model, given):
        if isinstance(asked, PhotoError):
            output.remark(str(asked))
            failed += 1
        elif session.as_json:
            output.write_json(_as_json(*asked))
        else:
            output.write_lines(_as_text(*asked, titled=len(given) > 1))
    return 1 if failed else 0


def _asked(
    catalogue: Catalogue, model: Model, given: Sequence[bytes]
) -> Iterator[Answer | PhotoError]:
    lookup = Lookup(catalogue, model)
    for path in given:
        try:
            content_id = lookup.find(path).content_id
        except PhotoError as error:
            yield error
            continue
        if content_id is None:
            yield PhotoError(f"{output.shown(path)}: not read yet. Run: twinlens scan FOLDER")
        else:
            yield path, labels.of_contents(catalogue, model, [content_id]).get(content_id, ())


def _as_json(path: bytes, found: Sequence[Label]) -> dict[str, object]:
    return {**output.json_path(path), "labels": json_labels(found)}


def _as_text(path: bytes, found: Sequence[Label], *, titled: bool) -> list[str]:
    rows = [(percent(label), label.name) for label in found] or [("", "nothing it could name")]
    lines = output.columns(rows, indent=2 if titled else 0)
    return [output.shown(path), *lines] if titled else lines
