"""Which photo of a group to keep, and why.

1. A photo that a person chose with ``twinlens decide --keep`` comes first, one that was chosen
against last. 2. Then the rules decide, in their order (``rules``): those asked for, then those of
the default that were not named. 3. What they leave equal is decided by exact size, age and path, so
that the choice never depends on the order in which photos were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from twinlens_plugin.rules import DEFAULT, LAST, Rule, keys
from twinlens_plugin.shots import Shot

CHOSEN = "you chose it"

_MOST_WORDS = 3
"""Reasons said for one choice; more would not be read."""


Rank = tuple[Any, ...]
"""What a person chose, then the keys of the rules in their order."""


class Ranked(NamedTuple):
    """A shot with its rank; sorts best first."""

    rank: Rank
    shot: Shot


class Keep:
    """An ordered list of rules."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self.asked = tuple(rule.name for rule in rules)
        """The rules that somebody asked for, in words of ``--keep``."""
        named = {*self.asked}
        self._rules = (*rules, *(rule for rule in (*DEFAULT, *LAST) if rule.name not in named))
        self._telling = [i for i, rule in enumerate(self._rules, start=1) if rule.telling]
        known = [rule.name for rule in (*DEFAULT, *LAST)]
        self._picks = [
            (rule.key, known.index(rule.name) if rule.key is None else 0) for rule in self._rules
        ]
        self._as_known = not rules

    def rank(self, shot: Shot) -> Rank:
        """Return a key that sorts the best shot first. No two shots have the same."""
        judged = keys(shot)
        if self._as_known:
            return (shot.chosen, *judged)
        return (
            shot.chosen,
            *[judged[place] if key is None else key(shot) for key, place in self._picks],
        )

    def tells_original(self, keeper: Ranked, other: Ranked) -> bool:
        """Tell whether a keeper is kept for what an original has, or by a rule somebody asked for.

        A grey or retouched photo saved at a higher quality is the larger and the sharper file.
        """
        first = next(i for i, key in enumerate(other.rank) if key != keeper.rank[i])
        if first == 0:
            return True
        rule = self._rules[first - 1]
        return rule.original or rule.name in self.asked

    def is_by_pixels(self, keeper: Ranked, other: Ranked) -> bool:
        """Tell whether a keeper is kept for its pixels alone, and nobody asked for that rule."""
        first = next(i for i, key in enumerate(other.rank) if key != keeper.rank[i])
        if first == 0:
            return False
        name = self._rules[first - 1].name
        return name == "pixels" and name not in self.asked

    def reason(self, keeper: Ranked, others: Sequence[Ranked]) -> str:
        """Say why ``keeper`` is kept rather than ``others``, of which there is one at least.

        First comes the rule by which it beats the best of them, then rules by which it beats all.
        """
        best = min(others)
        first = next(i for i, key in enumerate(best.rank) if key != keeper.rank[i])
        if first == 0:
            return CHOSEN
        said = [(self._rules[first - 1], best)]
        for place in self._telling:
            closest = min(others, key=lambda other: other.rank[place])
            if place != first and keeper.rank[place] < closest.rank[place]:
                said.append((self._rules[place - 1], closest))
        return ", ".join(rule.words(keeper.shot, other.shot) for rule, other in said[:_MOST_WORDS])
