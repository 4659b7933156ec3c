"""Embedding a labelled collection with one model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from twinlens.messages import Embedded, Photo, Result
from twinlens.views import Views
from twinlens_worker.evaluation.labelled import Labelled, LeftOut, repeated
from twinlens_worker.pipeline import Pipeline, Started


class Collection:
    """Photos that are judged by several models; what one of them cannot embed counts for none."""

    def __init__(
        self, photos: Sequence[Labelled], batch_size: int, leave_out: Callable[[LeftOut], object]
    ) -> None:
        self._photos = photos
        self._batch_size = batch_size
        self._leave_out = leave_out
        self.places = list(range(len(photos)))
        """Those that every model so far has embedded."""

    def embed(self, pipeline: Pipeline, progress: Callable[[int], object]) -> dict[int, Views]:
        """Return the vectors by place; tell ``progress`` how many photos are done."""
        views: dict[int, Views] = {}
        digests: dict[int, bytes] = {}
        progress(0)
        for done, result in enumerate(self._results(pipeline), start=1):
            if isinstance(result, Embedded):
                assert result.vector is not None  # no catalogue is asked for known contents
                views[result.file_id] = Views(result.vector, result.inner)
                digests[result.file_id] = result.sha256
            else:
                self._leave_out(LeftOut(result.file_id, "unreadable", result.reason))
            if done % self._batch_size == 0 or done == len(self.places):
                progress(done)
        for one in repeated(self._photos, digests):
            self._leave_out(one)
            del views[one.place]
        self.places = sorted(views)
        return views

    def judged(self) -> list[Labelled]:
        """Return the photos at ``places``."""
        return [self._photos[place] for place in self.places]

    def _results(self, pipeline: Pipeline) -> Iterator[Result]:
        """Decode one batch while another is embedded."""
        current: Started = []
        for start in range(0, len(self.places), self._batch_size):
            batch = self.places[start : start + self._batch_size]
            following = pipeline.start([self._message(place) for place in batch])
            yield from pipeline.finish(current)
            current = following
        yield from pipeline.finish(current)

    def _message(self, place: int) -> Photo:
        path = self._photos[place].path
        return Photo(file_id=place, generation=0, root="", root_path=b"", path=path, size=0)
