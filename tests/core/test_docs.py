"""The documents say what the code does."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from twinlens.settings import Settings

TOP = Path(__file__).parents[2]


def test_every_setting_is_documented_with_its_default():
    """docs/settings.md has a row for each setting, and no row for what is none."""
    rows = dict(
        re.findall(r"^\| `(\w+)` \| (.*?) \|", (TOP / "docs/settings.md").read_text(), re.MULTILINE)
    )
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    assert set(rows) == set(fields) - {"library"}
    for name, shown in rows.items():
        default = fields[name].default
        if isinstance(default, int | float | bool):
            assert shown == f"{default:g}" or shown == str(default).lower(), name


def test_readme_has_two_commands_that_set_up():
    """The README gives exactly two set-up commands: one for users, one for developers."""
    commands = re.findall(r"^\$ (pip install .*)$", (TOP / "README.md").read_text(), re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("twinlens scan ~/Pictures")
    assert commands[1].endswith("&& pytest")


def test_links_in_documents_lead_somewhere():
    """Every relative link in the documents names a file that exists."""
    documents = [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))]
    for document in documents:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} -> {target}"
