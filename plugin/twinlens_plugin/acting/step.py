"""What a step is: one change of one file, which can be done and undone.

A step's ``undo`` looks at the disk, not at how far the step is said to have come: never begun, half
done, done, undone already, all end in the state before it. Where somebody changed things since, it
says so and leaves them alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

from twinlens_plugin.acting.records import Record
from twinlens_plugin.errors import ActingError
from twinlens_plugin.output import shown


class Step(Protocol):
    """One change of one file."""

    kind: ClassVar[str]

    def do(self) -> Record:
        """Do it; return what only doing it could tell.

        Raises OSError, TwinlensError; then nothing is changed.
        """

    def undo(self, told: Mapping[str, Any], *, finished: bool) -> None:
        """Bring the state before it back; ``told`` is what ``do`` returned, if it did.

        ``finished``: whether the whole action was; then nothing that is half done is cleared up.
        Raises OSError, TwinlensError.
        """

    def as_json(self) -> Record:
        """Return it for the journal."""

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Return what ``as_json`` wrote."""


def changed(path: bytes) -> ActingError:
    """Return the error of a file that somebody changed after we did."""
    return ActingError(f"{shown(path)}: changed since, and stays as it is now.")
