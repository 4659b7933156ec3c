"""Facts of two photos side by side: what the catalogue, the file, its EXIF and its sidecar say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

from twinlens.catalogue import Catalogue
from twinlens.media import printable
from twinlens_plugin import output, sidecars
from twinlens_plugin.review import exif, words
from twinlens_plugin.review.ids import File
from twinlens_plugin.review.problems import Refused


class Fact(NamedTuple):
    """One fact of two photos; empty where it is not known of one."""

    name: str
    a: str
    b: str

    @property
    def same(self) -> bool:
        """Whether the two agree."""
        return self.a == self.b


def compared(catalogue: Catalogue, a: File, b: File) -> list[Fact]:
    """Return the facts of two photos, those that nothing is known of left out."""
    first, second = facts(catalogue, a), facts(catalogue, b)
    return [Fact(name, first[name], second[name]) for name in first if first[name] or second[name]]


def facts(catalogue: Catalogue, file: File) -> dict[str, str]:
    """Return the facts of one photo by name: always the same names, empty where nothing is known.

    Of one whose disk is away, or that changed, what the catalogue remembers.
    """
    said, problem = _exif(file)
    folder, _, name = file.path.rpartition(b"/")
    found = {
        "File": printable(name),
        "Folder": printable(folder),
        "Size": f"{output.megabytes(file.recorded.size)} ({file.recorded.size:,} bytes)",
        "Pixels": words.by(file.width, file.height),
        "Megapixels": f"{file.width * file.height / 1e6:.3g}" if file.width and file.height else "",
        "Format": _format(file),
        "Modified": _modified(file.recorded.mtime_ns),
        "Sharpness": _sharpness(catalogue, file.content_id),
        "Taken": (file.taken_at or "").replace("T", " "),
        "Camera": file.camera or "",
    }
    found |= dict.fromkeys((name for name in exif.NAMES if name not in found), "")
    return found | dict(said) | _sidecar(file) | {"Not readable": problem}


def _exif(file: File) -> tuple[Mapping[str, str], str]:
    """Return what the EXIF of a photo says, and why it says nothing where it should."""
    try:
        with file.open() as handle:
            found = exif.read(handle)
    except Refused as error:
        return {}, str(error)
    return found.facts, "its EXIF is damaged" if found.unreadable else ""


def _format(file: File) -> str:
    suffix = printable(file.path.rpartition(b".")[2]).upper()
    if file.format is None or file.format == suffix:
        return file.format or suffix
    return f"{file.format} ({suffix})" if file.format == "RAW" else file.format


def _modified(mtime_ns: int) -> str:
    local = dt.datetime.fromtimestamp(mtime_ns / 1e9).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S")


def _sharpness(catalogue: Catalogue, content: int) -> str:
    found = catalogue.value("SELECT sharpness FROM contents WHERE id = ?", (content,))
    return "" if found is None else f"{found:.3g}"


def _sidecar(file: File) -> dict[str, str]:
    """Return what the sidecars of a photo say: ``a.cr2.xmp`` before ``a.xmp``."""
    paths = sidecars.paths_of(file.path) if file.online else []
    read = [said for path in paths if (said := sidecars.read(path)) is not None]
    rating = next((said.rating for said in read if said.rating is not None), None)
    keywords = sorted({word for said in read for word in said.keywords})
    return {
        "Rating": "" if rating is None else "rejected" if rating < 0 else str(rating),
        "Keywords": ", ".join(keywords)[:500],
    }
