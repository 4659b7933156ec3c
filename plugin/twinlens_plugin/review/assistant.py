"""The page's assistant: a worker's process that stays, for what takes decoders or a model.

The plugin may not import decoders, and a process for each photo would load its model each time.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from twinlens.asking import ask_worker, read_answer
from twinlens.errors import ChangedError, PhotoError, UnreadableError, VanishedError
from twinlens.messages import ModelRef, encode_bytes
from twinlens.models import Model
from twinlens.thumbnails import thumbnail_path
from twinlens.views import Views
from twinlens_plugin.children import python_module
from twinlens_plugin.conversation import Conversation
from twinlens_plugin.errors import ChildError
from twinlens_plugin.options import Session
from twinlens_plugin.output import shown
from twinlens_plugin.review.rendered import Rendered

KEPT_BYTES: Final = 500_000_000
"""Rendered pictures that are kept, for as long as the page runs: some fifty at full size."""

THUMBNAIL_SIDE: Final = 320
"""As the library's own have."""

PATIENCE_SECONDS: Final = 60.0
"""Beyond ``decode_seconds``: others that are before us in line, and loading the model."""


class Assistant:
    """Renders, makes thumbnails and embeds. Safe to use from many threads."""

    def __init__(self, session: Session, kept_bytes: int = KEPT_BYTES) -> None:
        self._session = session
        self.folder = Path(tempfile.mkdtemp(prefix="twinlens-review-"))
        """Private to this user, and removed at the end, by whoever of the two processes lives longer."""
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._rendered = Rendered(self.folder, kept_bytes)
        arguments = [*session.child_arguments(), "assistant", "--scratch", str(self.folder)]
        self.conversation = Conversation(
            python_module("twinlens_worker", *arguments),
            seconds=session.settings.decode_seconds + PATIENCE_SECONDS,
        )

    def render(self, path: bytes, longest_side: int | None = None) -> Path:
        """Return an upright sRGB JPEG of a photo that browsers cannot show, of at most so many pixels.

        ``path`` is real: its last part is not followed where it is a link. The file stays for
        seconds at least: read it now. Raises PhotoError, ChildError.
        """
        name = f"{_identity(path)}-{longest_side or 'full'}.jpg"
        asked = {"render": encode_bytes(path), "side": longest_side}
        return self._rendered.get(name, lambda to: self._ask(path, {**asked, "to": str(to)}))

    def thumbnail(self, path: bytes, sha256: bytes) -> Path:
        """Return the thumbnail of a photo: the library's, made where it is missing.

        Raises PhotoError, also where the file holds something else by now, and ChildError.
        """
        name = sha256.hex()
        kept = thumbnail_path(self._session.library.thumbnails, sha256)
        if not kept.exists() and self._session.settings.thumbnails:
            answer = self._ask(path, {"thumbnail": encode_bytes(path)})
            if answer.get("sha256") != name:
                raise ChangedError(
                    f"{shown(path)}: changed since it was read. It is read again soon."
                )
        # A library that one may only read, or that keeps no thumbnails: for now, then.
        return kept if kept.exists() else self.render(path, THUMBNAIL_SIDE)

    def embed(self, model: Model, path: bytes, box: Sequence[float] | None = None) -> Views:
        """Return the vectors of a photo, or that of the part of it in a box.

        The box is (left, top, width, height) in shares of the upright picture. Raises PhotoError,
        ChildError.
        """
        ref = ModelRef(model.name, model.digest)
        if box is None:  # a running worker has its model loaded
            views = ask_worker(self._session.settings, ref, path)
            if views is not None:
                return views
        asked: dict[str, Any] = {"embed": encode_bytes(path), "model": [ref.name, ref.digest]}
        views = read_answer(self._ask(path, {**asked, "box": box and [*box]}))
        if views is None:
            raise ChildError(
                f"{shown(path)}: the worker gave no vector. Install one version of twinlens."
            )
        return views

    def close(self) -> None:
        """End the child and remove what was rendered."""
        self.conversation.close()
        self._remove()

    def _ask(self, path: bytes, question: dict[str, Any]) -> dict[str, Any]:
        answer = self.conversation.ask(question)
        if "error" not in answer:
            return answer
        why = str(answer["error"]).removeprefix(f"{shown(path)}: ")
        if answer.get("photo"):
            raise PhotoError(f"{shown(path)}: {why}")
        raise ChildError(f"{shown(path)}: {why}")


def _identity(path: bytes) -> str:
    """Return a name for the bytes that a path holds now. Raises PhotoError."""
    try:
        found = os.lstat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise VanishedError(f"{shown(path)}: no such file. Check the path.") from error
        raise UnreadableError(f"{shown(path)}: cannot be read: {error.strerror}.") from error
    facts = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
    return hashlib.sha256(repr(facts).encode() + path).hexdigest()[:32]
