"""``twinlens similar``: which photos look like this one?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from twinlens import labels, pairs
from twinlens.catalogue import Catalogue
from twinlens.errors import PhotoError
from twinlens.labels import Label
from twinlens.models import Model, get_model
from twinlens.views import Views
from twinlens_plugin import handover, output
from twinlens_plugin.answers import Answerer, Match
from twinlens_plugin.errors import EmptyLibraryError
from twinlens_plugin.listed import read_list
from twinlens_plugin.naming import json_labels
from twinlens_plugin.options import (
    PATH,
    Command,
    Session,
    common,
    geeqie_option,
    html_option,
    photo_list_option,
)
from twinlens_plugin.photos import Lookup, Query

if TYPE_CHECKING:
    from twinlens_plugin.unseen import Helper

Named = Mapping[int, tuple[Label, ...]]
"""What the model names in contents, by their numbers."""

Asked = Query | PhotoError
"""A photo asked about, or why it cannot be."""


@click.command("similar", cls=Command)
@click.argument("photos", nargs=-1, type=PATH, metavar="[PHOTO...]")
@click.option(
    "-k",
    "k",
    type=click.IntRange(1),
    default=10,
    metavar="N",
    help="List at most N photos for each PHOTO (10).",
)
@click.option(
    "--min-score",
    type=click.FloatRange(-1, 1),
    default=-1.0,
    metavar="SCORE",
    help="List no photo below this score; 1 is the same picture.",
)
@click.option(
    "--no-verify", is_flag=True, help="Compare no pictures: list by score alone, and name nothing."
)
@click.option("--paths", is_flag=True, help="Print paths alone.")
@photo_list_option("Ask about", null="in --files-from and --paths; alone it implies --paths")
@html_option("the photos found")
@geeqie_option("the photos found")
@common
def command(
    photos: tuple[bytes, ...],
    k: int,
    min_score: float,
    files_from: str | None,
    html: Path | None,
    session: Session,
    *,
    no_verify: bool,
    paths: bool,
    null: bool,
    geeqie: bool,
) -> int:
    """Find the photos that look like a photo, best first, with a score up to 1.

    Photos of the same shot come first and are named, "copy" or "edit", whatever they score: the
    pictures were compared. The photo may be one of the library or any other file. It is not listed
    itself, but a file with the same bytes is, with score 1.

    Example:
      twinlens similar ~/Pictures/IMG_1041.JPG
      find new -name '*.jpg' -print0 | twinlens similar --files-from - -0 --json
      twinlens similar ~/Pictures/IMG_1041.JPG -k 30 --html alike.html
      twinlens similar ~/Pictures/IMG_1041.JPG --geeqie
    """
    given = [*photos, *(read_list(files_from, null=null) if files_from else ())]
    if not given and not files_from:
        raise click.UsageError("Name a PHOTO, or a list of them with --files-from.")
    _refuse_both(as_json=session.as_json, paths=paths, html=html is not None, geeqie=geeqie)
    just_paths = paths or (null and not files_from and not session.as_json)
    many = len(given) > 1
    failed = 0
    with session.open_to_read() as catalogue:
        model = get_model(catalogue, "serving")
        if model is None:
            raise EmptyLibraryError(
                f"{session.library.folder}: this library holds no photos yet."
                " Run: twinlens scan FOLDER"
            )
        handover.remark_on(session, catalogue)
        limits = _Limits(k, min_score, verify=not no_verify)
        answers = _answers(session, catalogue, model, given, limits)
        if html is not None:
            return _write_sheet(session, catalogue, model, answers, html)
        if geeqie:
            return _show_in_geeqie(session, answers)
        for asked, matches in answers:
            named = labels.of_contents(catalogue, model, [match.content_id for match in matches])
            if isinstance(asked, PhotoError):
                output.remark(str(asked))
                failed += 1
            elif session.as_json:
                output.write_json(*_as_json(asked, matches, named))
            elif just_paths:
                output.write_paths([match.path for match in matches], null=null)
            else:
                output.write_lines(_as_text(asked, matches, named, titled=many))
    return 1 if failed else 0


def _refuse_both(*, as_json: bool, paths: bool, html: bool, geeqie: bool) -> None:
    if as_json and paths:
        raise click.UsageError("--json and --paths exclude each other.")
    if [html, geeqie, paths].count(True) > 1:
        raise click.UsageError("--html, --geeqie and --paths exclude each other.")


class _Limits(NamedTuple):
    """What is listed for each photo asked about."""

    k: int
    min_score: float
    verify: bool


def _answers(
    session: Session,
    catalogue: Catalogue,
    model: Model,
    given: Sequence[bytes],
    limits: _Limits,
) -> Iterator[tuple[Asked, list[Match]]]:
    """Yield each photo asked about with its matches, in the order asked."""
    lookup = Lookup(catalogue, model)
    asked = [_look_up(lookup, path) for path in given]
    strange = any(isinstance(one, Query) and one.content_id is None for one in asked)
    unread = any(isinstance(one, Query) and one.views is None for one in asked)
    with _helper(session) if strange or unread else contextlib.nullcontext() as helper:
        answerer = Answerer(
            catalogue,
            session.library,
            model,
            compares=helper if limits.verify else None,
            floor=model.copy_threshold * pairs.LOOSE,
            by_score=not limits.verify,
        )
        for query in asked:
            if isinstance(query, PhotoError):
                yield query, []
                continue
            views = _views(query, helper, model)
            if isinstance(views, PhotoError):
                yield views, []
            else:
                yield query, answerer.answer(query, views, k=limits.k, min_score=limits.min_score)
    if answerer.problem is not None:
        output.remark(
            f"{answerer.problem} Photos that the library does not know are listed by score."
        )


def _helper(session: Session) -> Helper:
    from twinlens_plugin.unseen import Helper  # photos of the library need none of it

    return Helper(session)


def _views(query: Query, helper: Helper | None, model: Model) -> Views | PhotoError:
    if query.views is not None:
        return query.views
    assert helper is not None
    return helper.embed(model, query.path)


def _write_sheet(
    session: Session,
    catalogue: Catalogue,
    model: Model,
    answers: Iterable[tuple[Asked, list[Match]]],
    file: Path,
) -> int:
    from twinlens_plugin.sheets import matches, written  # listing must start fast

    failed = 0
    sheet = matches.MatchSheet(file, catalogue, session)
    with sheet:
        for asked, found in answers:
            if isinstance(asked, PhotoError):
                output.remark(str(asked))
                failed += 1
                continue
            named = labels.of_contents(catalogue, model, [match.content_id for match in found])
            sheet.add(asked, found, {match.content_id: _surest(named, match) for match in found})
    assert sheet.written is not None
    written.say(
        sheet.written,
        groups="photo asked about",
        plural="photos asked about",
        as_json=session.as_json,
    )
    return 1 if failed else 0


def _show_in_geeqie(session: Session, answers: Iterable[tuple[Asked, list[Match]]]) -> int:
    """Show each photo asked about, and what looks like it."""
    from twinlens_plugin.dam.geeqie import collection  # listing must start fast

    asked: list[bytes] = []
    photos: list[bytes] = []
    failed = 0
    for query, matches in answers:
        if isinstance(query, PhotoError):
            output.remark(str(query))
            failed += 1
        elif matches:
            asked.append(query.path)
            photos += [query.path, *(match.path for match in matches)]
    collection.show(f"Similar to {collection.name_of(asked)}", photos, as_json=session.as_json)
    return 1 if failed else 0


def _look_up(lookup: Lookup, path: bytes) -> Asked:
    try:
        return lookup.find(path)
    except PhotoError as error:
        return error


def _as_json(query: Query, matches: Sequence[Match], named: Named) -> Iterator[dict[str, object]]:
    asked = output.json_path(query.given, "query")
    for rank, match in enumerate(matches, start=1):
        score = round(match.score, 4)
        yield {
            **asked,
            **output.json_path(match.path),
            "score": score,
            "rank": rank,
            "relation": match.known and match.known.kind,
            "probability": match.known and match.known.probability,
            "words": match.known.words if match.known else "",
            "labels": json_labels(named.get(match.content_id, ())),
        }


def _as_text(query: Query, matches: Sequence[Match], named: Named, *, titled: bool) -> list[str]:
    indent = "  " if titled else ""
    lines = [
        f"{indent}{match.score:6.3f}  {output.shown(match.path)}"
        f"{_in_brackets('; '.join(filter(None, (match.relation, _surest(named, match)))))}"
        for match in matches
    ]
    if not lines:
        lines = [f"{indent}nothing like it"] if titled else []
    return [output.shown(query.given), *lines] if titled else lines


def _surest(named: Named, match: Match) -> str:
    found = named.get(match.content_id, ())
    return f"{found[0].name} {found[0].probability * 100:.0f} %" if found else ""


def _in_brackets(text: str) -> str:
    return f"  ({text})" if text else ""
