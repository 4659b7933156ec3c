"""The keywords that twinlens gives photos, and how they are told from everybody else's.

Below the setting ``keyword_root``: ``twinlens|duplicates|<group>`` (``bursts``, ``similar`` for what
is no duplicate), ``twinlens|keeper``, ``twinlens|spare``.
"""

from __future__ import annotations

from collections.abc import Iterable

from twinlens.relations import BURST, DUPLICATES, SIMILAR

HIERARCHY = "|"
"""Between the levels of a keyword, as Lightroom and darktable have it."""

KEEPER, SPARE = "keeper", "spare"

_GROUPS = {BURST: "bursts", SIMILAR: "similar"}
_DUPLICATES = "duplicates"


def group_keyword(root: str, kind: str, name: str) -> str:
    """Return the keyword of a group's members."""
    level = _DUPLICATES if kind in DUPLICATES else _GROUPS.get(kind, kind)
    return HIERARCHY.join((root, level, name))


def role_keyword(root: str, role: str) -> str:
    """Return the keyword that says which part a photo has: ``KEEPER`` or ``SPARE``."""
    return HIERARCHY.join((root, role))


def is_ours(keyword: str, root: str) -> bool:
    """Tell whether a hierarchical keyword is one that groups and roles give."""
    if not keyword.startswith(root + HIERARCHY):
        return False
    match keyword[len(root) + 1 :].split(HIERARCHY):
        case [role]:
            return role in {KEEPER, SPARE}
        case [level, _]:
            return level in {_DUPLICATES, *_GROUPS.values()}
    return False


def words(keywords: Iterable[str]) -> set[str]:
    """Return the levels of keywords, all of which darktable writes as flat keywords too."""
    return {word for keyword in keywords for word in keyword.split(HIERARCHY)}
