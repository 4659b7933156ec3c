"""The sheet of ``similar --html``: a photo asked about, and what looks like it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from twinlens.catalogue import Catalogue
from twinlens_plugin.answers import Match
from twinlens_plugin.current import chunks
from twinlens_plugin.options import Session
from twinlens_plugin.output import absolute
from twinlens_plugin.photos import Query
from twinlens_plugin.sheets.file import new_file
from twinlens_plugin.sheets.groups import place, size
from twinlens_plugin.sheets.sheet import Sheet, Totals
from twinlens_plugin.sheets.thumbnails import Thumbnails
from twinlens_plugin.sheets.written import Written


class MatchSheet:
    """A sheet that answers are written to as they come; whole when the ``with`` block ends."""

    def __init__(self, file: Path, catalogue: Catalogue, session: Session) -> None:
        self._file = file
        self._catalogue = catalogue
        self._thumbnails = Thumbnails(session)
        self._new = new_file(file)
        self._asked = 0
        self._found = 0
        self.written: Written | None = None
        """What was written, once it is."""

    def __enter__(self) -> Self:
        stream = self._new.__enter__()
        self._sheet = Sheet(stream, "similar", "Photos that look alike", ())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            size = self._sheet.finish(Totals(self._asked, self._found))
            missing = self._thumbnails.missing
            self.written = Written(self._file, self._asked, self._found, size, missing)
        self._thumbnails.__exit__(kind, error, trace)
        self._new.__exit__(kind, error, trace)

    def add(self, query: Query, matches: Sequence[Match], named: dict[int, str]) -> None:
        """Write a photo and what looks like it; ``named``: what the model names in contents."""
        self._asked += 1
        self._found += len(matches)
        contents = {match.content_id for match in matches}
        known = self._known({*contents, *({query.content_id} if query.content_id else ())})
        self._sheet.section(
            number=self._asked,
            asked=self._fields(query.given, known.get(query.content_id or 0)),
            matches=[
                {
                    **self._fields(match.path, known[match.content_id]),
                    "score": f"{match.score:.3f}",
                    "relation": match.relation,
                    "label": named.get(match.content_id, ""),
                }
                for match in matches
            ],
        )

    def _fields(self, path: bytes, known: dict[str, Any] | None) -> dict[str, object]:
        return {
            **place(path),
            "picture": self._thumbnails.of(known["sha256"] if known else None, absolute(path)),
            "size": size(known["width"], known["height"], known["bytes"]) if known else "",
        }

    def _known(self, contents: Collection[int]) -> dict[int, dict[str, Any]]:
        return {
            row["id"]: dict(row)
            for some, marks in chunks(contents)
            for row in self._catalogue.rows(
                f"SELECT id, sha256, width, height, bytes FROM contents WHERE id IN ({marks})",  # noqa: S608
                some,
            )
        }
