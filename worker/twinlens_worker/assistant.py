"""The assistant: embeds, compares, renders and makes thumbnails, as long as whoever started it runs.

That is the review page, or ``twinlens similar`` of photos that the library does not know.

JSON lines in, JSON lines out, answered as they get done, in any order. Paths are base64, absolute,
and no symbolic links.

* ``{"id", "embed": path, "model": [name, digest], "box": [left, top, width, height]}`` with the box
  in shares of the upright picture, or without it: ``{"id", "vector": base64 f16}``, and ``"inner"``,
  the vector of the picture within it, where it holds one and there is no box.
* ``{"id", "relate": twinlens.messages.relate_message(...)}``: ``{"id", "relations": [...]}``, what an
  unseen photo is to contents of the library.
* ``{"id", "render": path, "side": pixels or null, "to": file}`` writes an upright sRGB JPEG, the long
  side at most ``side``: ``{"id", "sha256": hex, "width", "height"}`` of the original.
* ``{"id", "thumbnail": path}`` makes the library's own, where it keeps any: the same answer.
* What is wrong: ``{"id", "error": one line, "photo": whether it is the photo that is wrong}``.

Photos are decoded by the pool, which no photo can take down; torch is imported with the first embed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from twinlens.asking import answer_error, answer_views
from twinlens.errors import TwinlensError, WorkerError
from twinlens.library import Library
from twinlens.messages import ModelRef, decode_bytes
from twinlens.settings import Settings
from twinlens_worker.decode import Box, Decoded, DecodeRequest, DecoderPool, Rendering
from twinlens_worker.decode.pool import cores
from twinlens_worker.decode.thumbnail import LONGEST_SIDE
from twinlens_worker.pipeline import Pipeline

log = logging.getLogger("twinlens.worker.assistant")

Answer = dict[str, Any]

DECODERS: Final = (2, 4)
"""Least and most: a slow photo must not hold up the others, and one person looks at few at a time."""

AT_ONCE: Final = 8
"""Requests that are worked on; the others wait in line."""

SCRATCH_PREFIX: Final = "twinlens-review-"
"""How folders are called that may be removed."""


def assist(
    settings: Settings,
    lines: Iterable[bytes],
    say: Callable[[str], object],
    scratch: Path | None = None,
) -> None:
    """Answer requests until they end; then remove the folder ``scratch`` with what was rendered.

    Whoever asks may have been killed, and could not remove it.
    """
    assistant = _Assistant(settings)
    lock = threading.Lock()

    def serve(line: bytes) -> None:
        answer = json.dumps(assistant.answer(line))
        with lock:
            say(answer + "\n")

    try:
        with ThreadPoolExecutor(AT_ONCE, "assistant") as threads:
            for line in lines:
                threads.submit(serve, line)
            assistant.close()  # whoever waits for a photo waits in vain: the threads end now
            threads.shutdown(cancel_futures=True)
    finally:
        if scratch is not None and scratch.name.startswith(SCRATCH_PREFIX):
            shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def answers_alone() -> Iterator[Callable[[str], object]]:
    """Give what writes to standard output; what libraries print there goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1) as answers:
        os.dup2(2, 1)
        yield answers.write


class _Assistant:
    """Answers one request a thread."""

    def __init__(self, settings: Settings) -> None:
        least, most = DECODERS
        wanted = settings.decode_processes or min(max(cores(), least), most)
        self._settings = settings
        self._library = Library(settings.library)
        self._pool = DecoderPool(replace(settings, decode_processes=wanted))
        self._pool.warm()
        self._model_lock = threading.Lock()
        self._pipeline: Pipeline | None = None

    def answer(self, line: bytes) -> Answer:
        """Answer one line, whatever is in it."""
        number: object = None
        try:
            asked = json.loads(line)
            number = asked["id"]
            return {"id": number, **self._answer(asked)}
        except TwinlensError as error:
            return {"id": number, **answer_error(error)}
        except CancelledError:
            return {"id": number, **answer_error(WorkerError("the assistant stops."))}
        except Exception as error:  # no request may take others with it
            log.debug("failed: %r", line, exc_info=True)
            failed = WorkerError(f"the assistant failed: {error!r}. See twinlens doctor.")
            return {"id": number, **answer_error(failed)}

    def close(self) -> None:
        """Stop decoding."""
        self._pool.close()

    def _answer(self, asked: Answer) -> Answer:
        if "embed" in asked:
            box = Box(*map(float, asked["box"])) if asked.get("box") else None
            return self._embed(decode_bytes(asked["embed"]), ModelRef(*asked["model"]), box)
        if "relate" in asked:
            from twinlens_worker.relating import answer_relate  # OpenCV

            return answer_relate(self._settings, self._read, asked["relate"])
        if "render" in asked:
            rendering = Rendering(Path(asked["to"]), asked["side"])
            return self._decode(decode_bytes(asked["render"]), rendering=rendering)
        thumbnails = self._library.thumbnails if self._settings.thumbnails else None
        return self._decode(decode_bytes(asked["thumbnail"]), thumbnails=thumbnails)

    def _embed(self, path: bytes, model: ModelRef, box: Box | None) -> Answer:
        return answer_views(self._pipeline_for(model).embed_file(path, box))

    def _decode(
        self,
        path: bytes,
        *,
        rendering: Rendering | None = None,
        thumbnails: Path | None = None,
    ) -> Answer:
        request = DecodeRequest(path, LONGEST_SIDE // 2, thumbnails, None, rendering=rendering)
        found = self._read(request)
        return {"sha256": found.sha256.hex(), "width": found.width, "height": found.height}

    def _read(self, request: DecodeRequest) -> Decoded:
        return self._pool.submit(request).result()

    def _pipeline_for(self, model: ModelRef) -> Pipeline:
        """Return the pipeline of a model: the last one used stays loaded."""
        with self._model_lock:
            if self._pipeline is None or self._pipeline.model != model:
                from twinlens_worker.local_models import LocalModels

                descriptor = LocalModels(self._settings, self._library).load(model)
                self._pipeline = Pipeline(descriptor, self._settings, decoders=self._pool)
            return self._pipeline
