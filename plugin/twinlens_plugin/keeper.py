"""Which photo of a group to keep, and why.

1. A photo that a person chose with ``twinlens decide --keep`` comes first, one that was chosen
against last. 2. Then the rules decide, in their order (``rules``): those asked for, then those of
the default that were not named. 3. What they leave equal is decided by exact size, age and path, so
that the choice never depends on the order in which photos were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twinlens_plugin.rules import DEFAULT, LAST, Rule
from twinlens_plugin.shots import Shot

CHOSEN = "you chose it"

_MOST_WORDS = 3
"""Reasons said for one choice; more would not be read."""


class Keep:
    """An ordered list of rules."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        named = {rule.name for rule in rules}
        self._rules = (*rules, *(rule for rule in DEFAULT if rule.name not in named))
        self._keys = [rule.key for rule in (*self._rules, *LAST)]

    def rank(self, shot: Shot) -> tuple[Any, ...]:
        """Return a key that sorts the best shot first. No two shots have the same."""
        return (shot.chosen, *[key(shot) for key in self._keys])

    def reason(self, keeper: Shot, others: Sequence[Shot]) -> str:
        """Say why ``keeper`` is kept rather than ``others``, of which there is one at least.

        First comes the rule by which it beats the best of them, then rules by which it beats all.
        """
        if keeper.chosen < min(other.chosen for other in others):
            return CHOSEN
        best = min(others, key=self.rank)
        every = (*self._rules, *LAST)
        first = next(rule for rule in every if rule.key(keeper) != rule.key(best))
        telling = [rule for rule in self._rules if rule.telling and rule is not first]
        rest = [words for rule in telling if (words := _beats(rule, keeper, others))]
        return ", ".join([first.words(keeper, best), *rest][:_MOST_WORDS])


def _beats(rule: Rule, keeper: Shot, others: Sequence[Shot]) -> str | None:
    """Return in words how a shot beats all others by a rule, None where it does not."""
    closest = min(others, key=rule.key)
    return rule.words(keeper, closest) if rule.key(keeper) < rule.key(closest) else None
