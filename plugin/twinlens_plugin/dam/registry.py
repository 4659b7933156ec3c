"""The integrations that there are."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

from twinlens_plugin.dam.integration import Integration

INTEGRATIONS: Mapping[str, str] = {
    "geeqie": "twinlens_plugin.dam.geeqie",
    "darktable": "twinlens_plugin.dam.darktable",
    "lightroom": "twinlens_plugin.dam.lightroom",
    "digikam": "twinlens_plugin.dam.digikam",
    "nautilus": "twinlens_plugin.dam.nautilus",
}
"""Name: its module, which has an ``integration``."""


def get(name: str) -> Integration:
    """Return an integration by its name. Raises KeyError."""
    found: Integration = importlib.import_module(INTEGRATIONS[name]).integration
    return found


def all_of_them() -> Sequence[Integration]:
    """Return every integration."""
    return [get(name) for name in INTEGRATIONS]
