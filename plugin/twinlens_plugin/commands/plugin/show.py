"""``twinlens plugin show``: what other programs call to have an answer shown."""

from __future__ import annotations

import os

import click

from twinlens_plugin import output
from twinlens_plugin.dam.answering import QUESTIONS, answer
from twinlens_plugin.dam.machine import Machine
from twinlens_plugin.dam.opening import open_page
from twinlens_plugin.listed import read_list
from twinlens_plugin.options import PATH, Command, Session, common, photo_list_option


@click.command("show", cls=Command)
@click.argument("question", type=click.Choice(QUESTIONS))
@click.argument("photos", nargs=-1, type=PATH, metavar="[PHOTO...]")
@click.option("--no-browser", is_flag=True, help="Print where the page is, and open no browser.")
@photo_list_option("Ask about")
@common
def show(
    question: str,
    photos: tuple[bytes, ...],
    files_from: str | None,
    session: Session,
    *,
    no_browser: bool,
    null: bool,
) -> int:
    """Answer in the browser: for programs that have no terminal to answer in.

    The entries and scripts of "twinlens plugin install" call it. What goes wrong is said in the
    browser too. The pages are kept in the cache folder, the last twenty.

    Example:
      twinlens plugin show similar ~/Pictures/IMG_1041.JPG
      twinlens plugin show check --files-from list.txt --no-browser
    """
    given = [*photos, *(read_list(files_from, null=null) if files_from else ())]
    machine = Machine(dict(os.environ))
    page, code = answer(machine, session, question, given)
    if not no_browser:
        open_page(machine, page)
    elif session.as_json:
        output.write_json(output.json_path(os.fsencode(page), "html"))
    else:
        output.write_paths([os.fsencode(page)], null=False)
    return code
