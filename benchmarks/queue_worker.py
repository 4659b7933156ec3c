"""The Celery worker of `benchmarks.queue_cost`: the real `embed` task, with nothing to decode.

`python -m benchmarks.queue_worker redis://...`
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, cast

from celery import Celery

from benchmarks.queue_cost import DONE
from twinlens import broker
from twinlens.messages import (
    QUEUE_COMMIT,
    QUEUE_EMBED,
    TASK_COMMIT,
    Embedded,
    ModelRef,
    Photo,
    Result,
    read_commit,
)
from twinlens_worker.celery_app import LoadedModels, register_embed

DIMENSION = 256


class NoPipeline:
    """Stands in for the pipeline: every photo has the same vector, at once."""

    vector = b"\x00\x2c" * DIMENSION  # 1/16 each in f16: unit length

    def run(self, photos: Sequence[Photo], *, with_labels: bool = False) -> list[Result]:  # noqa: ARG002
        """Return a result for each photo."""
        return [
            Embedded(
                file_id=photo.file_id,
                generation=photo.generation,
                sha256=bytes(32),
                size=photo.size,
                vector=self.vector,
                width=4000,
                height=3000,
                format="JPEG",
                taken_at="2026-05-01T10:00:00+02:00",
                camera="Twinlens Made Camera 12",
            )
            for photo in photos
        ]


class NoModels:
    """Stands in for the loaded models."""

    def pipeline(self, wanted: ModelRef) -> NoPipeline:  # noqa: ARG002  any model is here
        """Return the pipeline."""
        return NoPipeline()


def register_counting_commit(app: Celery) -> None:
    """Register a `commit` task that reads its message, and tells when all photos came through."""
    import redis

    client: Any = redis.Redis.from_url(str(app.conf.broker_url))
    seen = 0

    @app.task(name=TASK_COMMIT)  # type: ignore[untyped-decorator]
    def commit(body: Any) -> None:  # noqa: ANN401
        nonlocal seen
        seen += len(read_commit(body)[1])
        if seen >= int(client.get(f"{DONE}-wanted")):
            seen = 0
            client.rpush(DONE, 1)


def main() -> None:
    """Work until told to stop."""
    app = broker.make_app(sys.argv[1])
    register_embed(app, cast("LoadedModels", NoModels()))
    register_counting_commit(app)
    queues = f"--queues={QUEUE_EMBED},{QUEUE_COMMIT}"
    app.worker_main(
        ["worker", "--pool=solo", queues, "--without-gossip", "--without-mingle", "--loglevel=INFO"]
    )


if __name__ == "__main__":
    main()
