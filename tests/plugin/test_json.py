"""What --json prints: every command's real answers, held against its schema in docs/schemas."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from tests.plugin.conftest import Built, Cli, Scanned, draw_photos
from tests.plugin.schemas import DOCS, schema, strict
from twinlens import labels
from twinlens.catalogue import Catalogue
from twinlens.labels import Label
from twinlens.library import Library
from twinlens_plugin.main import cli

Lines = list[dict[str, Any]]


def commands() -> Iterator[str]:
    """Yield the words of every command that takes --json."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {sub}" for sub in sorted(command.commands))
        else:
            yield name


class Visit:
    """Runs commands on a library once, and keeps what each of them printed."""

    def __init__(self, scanned: Scanned, folder: Path) -> None:
        self.scanned = scanned
        self.folder = folder
        self.answers: dict[str, Lines] = {}
        self.run = Cli(scanned.library)

    def ask(self, words: str, *args: object, code: int = 0, stdin: bytes | None = None) -> Lines:
        """Run a command with --json and keep its lines; whatever else it prints is an error."""
        lines = self.run.json(*words.split(), *args, code=code, stdin=stdin)
        self.answers.setdefault(words, []).extend(lines)
        return lines

    def start(self, words: str, *args: object, until: signal.Signals) -> None:
        """Start a command that stays, take its first line, and end it."""
        with subprocess.Popen(
            [sys.executable, "-m", "twinlens_plugin", words, *map(str, args), "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "TWINLENS_LIBRARY": str(self.run.folder)},
        ) as child:
            assert child.stdout is not None
            first = child.stdout.readline()
            child.send_signal(until)
            rest = child.stdout.read()
        lines = [json.loads(line) for line in (first + rest).splitlines()]
        self.answers.setdefault(words, []).extend(lines)


@pytest.fixture(scope="module")
def answers(scanned: Scanned, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lines]:
    """The lines of every command, from one visit to one library, which is left as it was."""
    folder = tmp_path_factory.mktemp("visit")
    visit = Visit(scanned, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWINLENS_SETTLE_SECONDS", "0.1")
        patch.setenv("TWINLENS_DECODE_PROCESSES", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        for name in [name for name in os.environ if name.startswith("XDG_")]:
            patch.delenv(name)
        patch.setenv("HOME", str(folder / "home"))
        (folder / "home").mkdir()
        _ask(visit)
        _decide(visit)
        _act(visit)
        _put_into_programs(visit)
        _choose_models(visit, folder)
        _stay(visit)
    return visit.answers


def _ask(visit: Visit) -> None:
    photos, odd = visit.scanned.photos, visit.scanned.odd
    visit.ask("scan", photos)
    visit.ask("similar", odd, photos / "0.jpg", "-k", 2)
    visit.ask("similar", photos / "0.jpg", "--html", visit.folder / "similar.html")
    visit.ask("similar", photos / "0.jpg", "--min-score", 1, "--geeqie")
    assert visit.ask("duplicates")
    visit.ask("duplicates", "--html", visit.folder / "groups.html")
    visit.ask("duplicates", photos / "5.jpg", "--geeqie")  # none: no Geeqie is started
    visit.ask("check", photos, code=1)  # one of them is damaged
    visit.ask("status")
    visit.ask("quarantine")
    (visit.scanned.photos / "5.jpg").rename(visit.folder / "5.jpg")
    visit.ask("doctor", code=1)
    (visit.folder / "5.jpg").rename(visit.scanned.photos / "5.jpg")
    visit.ask("completion", "bash")


def _decide(visit: Visit) -> None:
    pair = [visit.scanned.photos / "2.jpg", visit.scanned.odd]
    for word in ("--not-duplicates", "--same"):
        visit.ask("decide", *pair, word)
    visit.ask("decide", *pair, "--keep", pair[1])
    visit.ask("decisions list")
    visit.ask("decisions export", visit.folder / "decisions.json")
    visit.ask("decisions import", visit.folder / "decisions.json")
    visit.ask("decide", *pair, "--undo")


def _act(visit: Visit) -> None:
    plan, spare = visit.folder / "plan.json", visit.folder / "spare"
    visit.ask("duplicates", "--plan", plan)
    jsonschema.validate(json.loads(plan.read_text()), schema("plan.schema.json"))
    visit.ask("apply", plan)
    visit.ask("apply", plan, "--action", "move", "--to", spare, "--yes")
    visit.ask("undo")
    if shutil.which("exiftool"):
        visit.ask("tag")
        visit.ask("tag", "--yes")
        visit.ask("tag", "--clear")
        visit.ask("undo")
    visit.ask("undo", "--list")


def _put_into_programs(visit: Visit) -> None:
    visit.ask("plugin install", "--anyway")
    visit.ask("plugin list")
    visit.ask("plugin show", "check", visit.scanned.odd, "--no-browser")
    visit.ask("plugin remove")


def _choose_models(visit: Visit, folder: Path) -> None:
    for number, kind in enumerate(("a", "b")):
        draw_photos(folder / "kinds" / kind, 2, first=10 * number)
    visit.ask("model eval", folder / "kinds")
    visit.ask("model list")
    visit.ask("model use", "pocket")
    visit.ask("model tune", "--off", "--no-wait")
    _know_another_model(visit.scanned.library)
    visit.ask("model forget", "another")


def _know_another_model(library: Path) -> None:
    """Give the library a model that it does not use any more."""
    with Catalogue.open(Library(library).catalogue) as catalogue, catalogue.write_tx() as tx:
        columns = [row[1] for row in tx.execute("PRAGMA table_info(models)") if row[1] != "id"]
        values = ", ".join({"name": "'another'", "digest": "'dead'"}.get(c, c) for c in columns)
        tx.execute(f"INSERT INTO models ({', '.join(columns)}) SELECT {values} FROM models LIMIT 1")
        tx.execute(
            "INSERT INTO vectors (content_id, model_id, vector)"
            " SELECT content_id, (SELECT max(id) FROM models), vector FROM vectors LIMIT 1"
        )


def _stay(visit: Visit) -> None:
    """Watch a folder, look at the page, and forget that folder."""
    other = visit.folder / "other"
    draw_photos(other, 1)
    visit.start("watch", other, until=signal.SIGINT)
    visit.ask("remove-root", other)
    visit.start("review", "--no-browser", until=signal.SIGTERM)


@pytest.fixture
def labelled(built: Built) -> Built:
    """A library whose model names things, which the bundled one does not."""
    built.use_model(labels=True)
    path = built.photo("chair.jpg")
    with built.catalogue.write_tx() as tx:
        labels.store(tx, built.model.id, built.content_id(path), [Label("folding_chair", 0.98)])
    return built


def validate(words: str, lines: Lines) -> None:
    """Hold lines against a command's schema; fields that it does not name are errors."""
    validator = jsonschema.Draft202012Validator(
        strict(schema(f"schemas/{words.replace(' ', '-')}.schema.json"))
    )
    for line in lines:
        validator.validate(line)


@pytest.mark.parametrize("words", [words for words in commands() if words != "labels"])
def test_what_a_command_prints_is_what_its_schema_says(words: str, answers: dict[str, Lines]):
    """Each command that takes --json has a schema, prints something here, and no field beside it."""
    if words == "tag" and not shutil.which("exiftool"):
        pytest.skip("needs exiftool")
    assert answers.get(words), f"twinlens {words} --json printed nothing"
    validate(words, answers[words])


def test_labels_are_what_their_schema_says(labelled: Built, twinlens: Cli):
    """Of a photo, of a label, and of all."""
    lines = twinlens.json("labels")
    lines += twinlens.json("labels", labelled.photos / "chair.jpg")
    lines += twinlens.json("labels", "--find", "folding_chair")
    assert len(lines) == 3
    validate("labels", lines)


def test_a_path_that_is_no_text_is_there_in_base64(answers: dict[str, Lines]):
    """And only where it is no text."""
    queries = [line for line in answers["similar"] if "query" in line]
    assert {"query_base64" in line for line in queries} == {True, False}
    assert all(("query_base64" in line) == ("\udcff" in line["query"]) for line in queries)


def test_every_form_of_an_answer_was_seen(answers: dict[str, Lines]):
    """No form that a schema describes is a mere promise."""
    for words, lines in answers.items():
        described = schema(f"schemas/{words.replace(' ', '-')}.schema.json")
        forms = described.get("anyOf", [])
        for number, form in enumerate(forms):
            alone = strict({**described, "anyOf": [form]})
            validator = jsonschema.Draft202012Validator(alone)
            assert any(validator.is_valid(line) for line in lines), (words, number)


def test_the_schemas_are_those_of_the_commands():
    """None is left of a command that is gone; each is a schema, and the guide names the folder."""
    found = {file.name.removesuffix(".schema.json") for file in (DOCS / "schemas").iterdir()}
    assert found == {words.replace(" ", "-") for words in commands()}
    for name in found:
        jsonschema.Draft202012Validator.check_schema(schema(f"schemas/{name}.schema.json"))
    assert "(schemas/)" in (DOCS / "guide.md").read_text(encoding="utf-8")


def test_a_group_is_the_same_by_its_older_name():
    """docs/duplicates.schema.json is the group of docs/schemas/duplicates.schema.json."""
    older, newer = schema("duplicates.schema.json"), schema("schemas/duplicates.schema.json")
    keys = ("type", "required", "properties")
    assert newer["$defs"]["group"] == {key: older[key] for key in keys}
    assert {k: v for k, v in newer["$defs"].items() if k != "group"} == older["$defs"]
