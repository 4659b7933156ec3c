"""Lists of names on the command line, with commas between them."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from twinlens_plugin.completing import with_commas


class Names(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """Some of the names that are known, as a frozen set."""

    def __init__(self, name: str, known: Sequence[str], refusal: str) -> None:
        """Take what is said of others: ``is no kind``."""
        self.name = name
        self._known = known
        self._refusal = refusal

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[str]:
        """Read the names."""
        if isinstance(value, frozenset):
            return value
        names = frozenset(name.strip() for name in str(value).split(",") if name.strip())
        if not names or not names <= set(self._known):
            wrong = ", ".join(sorted(names - set(self._known))) or value
            known = ", ".join(self._known)
            self.fail(f"'{wrong}' {self._refusal}. Known: {known}.", param, ctx)
        return names

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """Complete the last of the names."""
        return with_commas(self._known, incomplete)
