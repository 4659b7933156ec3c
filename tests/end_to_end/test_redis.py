"""The same job over Redis, with two embed workers and one of them killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Photos, Programs, process_of, wait_until
from tests.end_to_end.scenario import (
    caught_up,
    check_consistent,
    check_copies,
    embedded,
    follow_changes,
)


@pytest.mark.redis
@pytest.mark.timeout(500)
def test_two_embed_workers_one_killed(
    programs: Programs,
    photos: Photos,
    tmp_path: Path,
    start_redis: Callable[..., Any],
):
    """Remote workers with another mount do all the work; kill -9 and a wiped Redis lose none.

    Faults 1, 25 and 26: a worker killed in mid-batch, Redis killed with AOF on, then wiped.
    """
    redis = start_redis(aof=True, password="secret")
    programs.environ |= {
        "TWINLENS_BROKER": redis.url,
        "TWINLENS_LEASE_SECONDS": "15",
        "TWINLENS_BATCH_SIZE": "8",
        "TWINLENS_IN_FLIGHT": "64",
    }
    mount = tmp_path / "mount"
    mount.symlink_to(photos.folder)
    elsewhere = {
        "TWINLENS_MOUNTS": f"{photos.folder.name}={mount}",
        "TWINLENS_LIBRARY": str(tmp_path / "no-library-here"),
    }
    programs.start("twinlens_worker", "--queues", "commit,query")
    workers = [
        programs.start("twinlens_worker", "--queues", "embed", **elsewhere) for _ in range(2)
    ]
    watch = programs.start("twinlens_plugin", "watch", photos.folder)
    wait_until(
        lambda: (programs.library / "catalogue.sqlite3").exists() and embedded(programs) > 0,
        "the first photos are embedded",
    )
    workers[0].kill()
    redis.kill()
    redis.start()
    redis.command("FLUSHALL")
    wait_until(lambda: caught_up(programs), "all photos embedded after the kills")
    assert not (tmp_path / "no-library-here").exists()
    check_copies(programs, photos)
    follow_changes(programs, photos)
    check_consistent(programs)
    with pytest.raises(LookupError):
        process_of(watch.pid, "twinlens_worker")
