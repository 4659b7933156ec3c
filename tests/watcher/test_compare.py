"""Which file is which."""

from __future__ import annotations

import pytest

from twinlens.filestat import NO_INODE, FileStat
from twinlens_watcher.clock import FakeClock
from twinlens_watcher.compare import Identity, match_moves
from twinlens_watcher.known import Known
from twinlens_watcher.settle import Settler


@pytest.mark.parametrize(("inode", "moved"), [(7, True), (NO_INODE, False)])
def test_a_move_is_known_by_its_inode(inode: int, moved: bool) -> None:
    """On exFAT two frames of a burst may have one size and time: neither is the other, moved."""
    stat = FileStat(10, 1, 1, inode)
    gone = Known(b"a.nef", *(10, 1, 1, inode), live=1, served=1)
    assert bool(match_moves([gone], [(b"b.nef", stat)])) is moved
    settler = Settler(FakeClock(0.0), 2.0, local=True)
    settler.see(b"a.nef", None, Identity.of(stat))
    settler.see(b"b.nef", stat)
    assert bool(settler.gone_as(stat)) is moved
    assert bool(list(settler.there_as({Identity.of(stat)}))) is moved
