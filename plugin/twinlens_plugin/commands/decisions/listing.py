"""``twinlens decisions list``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import click

from twinlens.catalogue import Catalogue
from twinlens_plugin import output
from twinlens_plugin.current import CURRENT
from twinlens_plugin.decisions import Decision, every
from twinlens_plugin.options import Command, Session, common


@click.command("list", cls=Command)
@common
def list_decisions(session: Session) -> None:
    """List all decisions, by the photos as they are called now.

    A photo that is not in the library now is shown by the hash of its bytes.

    Example:
      twinlens decisions list
    """
    with session.open_to_read() as catalogue:
        for decision in every(catalogue):
            if session.as_json:
                output.write_json(_as_json(catalogue, decision))
            else:
                output.write_lines(_as_text(catalogue, decision))


def _as_json(catalogue: Catalogue, decision: Decision) -> dict[str, object]:
    keeper = decision.keeper
    return {
        "verdict": decision.verdict,
        "at": dt.datetime.fromtimestamp(decision.at, dt.UTC).isoformat(timespec="seconds"),
        "photos": [
            {
                "sha256": sha256.hex(),
                "keep": None if keeper is None else sha256 == keeper,
                "paths": [output.json_path(path) for path in _paths(catalogue, sha256)],
            }
            for sha256 in (decision.a, decision.b)
        ],
    }


def _as_text(catalogue: Catalogue, decision: Decision) -> Iterator[str]:
    when = dt.datetime.fromtimestamp(decision.at).astimezone().strftime("%Y-%m-%d %H:%M")
    yield f"{decision.verdict}, {when}"
    for sha256 in dict.fromkeys((decision.a, decision.b)):
        paths = [output.shown(path) for path in _paths(catalogue, sha256)]
        first, more = (paths[0], len(paths) - 1) if paths else (f"not here: {sha256.hex()}", 0)
        kept = "  (keep)" if sha256 == decision.keeper else ""
        yield f"  {first}{f'  (and {more} more)' if more else ''}{kept}"


def _paths(catalogue: Catalogue, sha256: bytes) -> list[bytes]:
    rows = catalogue.rows(
        "SELECT r.path, f.path FROM contents c JOIN files f ON f.content_id = c.id"  # noqa: S608
        " JOIN roots r ON r.id = f.root_id LEFT JOIN jobs ON file_id = f.id"
        f" WHERE sha256 = ? AND {CURRENT} ORDER BY r.path, f.path",
        (sha256,),
    )
    return [root + b"/" + path for root, path in rows]
