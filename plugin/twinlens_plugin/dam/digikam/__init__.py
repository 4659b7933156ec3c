"""digiKam, and every program that has "Open with": entries for images."""

from __future__ import annotations

from collections.abc import Sequence

from twinlens_plugin.dam import desktop
from twinlens_plugin.dam.desktop.defaults import keep_defaults
from twinlens_plugin.dam.integration import Call, File, Found, Integration, Piece
from twinlens_plugin.dam.machine import Machine

_ENTRIES = {
    "twinlens-similar.desktop": ("Find similar (twinlens)", "similar"),
    "twinlens-duplicates.desktop": ("Find duplicates of these (twinlens)", "duplicates"),
    "twinlens-check.desktop": ("Are these in the library? (twinlens)", "check"),
}

_TYPES = (
    "image/jpeg image/png image/webp image/tiff image/bmp image/gif image/heic image/heif image/avif"
    " image/jp2 image/x-adobe-dng image/x-canon-cr2 image/x-canon-cr3 image/x-canon-crw"
    " image/x-fuji-raf image/x-nikon-nef image/x-olympus-orf image/x-panasonic-rw2"
    " image/x-pentax-pef image/x-samsung-srw image/x-sony-arw"
).split()
"""As shared-mime-info names what twinlens reads."""

_PROGRAMS = "digikam gwenview gthumb shotwell dolphin thunar nemo caja pcmanfm".split()
"""Photo managers and file managers that show such entries."""


class DigiKam(Integration):
    """digiKam; Gwenview, Thunar, Dolphin and others show the same entries."""

    name = "digikam"
    title = "digiKam and others (Open With)"
    cure = "Install one of them: apt install digikam"

    def found(self, machine: Machine) -> Found | None:
        """Look for one of the programs. To say its version takes digiKam seconds: it is not asked."""
        return Found() if any(map(machine.program, _PROGRAMS)) else None

    def pieces(self, machine: Machine, call: Call) -> Sequence[Piece]:
        """Return the entries and their icon."""
        folder = desktop.applications(machine)
        kept = keep_defaults(machine, _TYPES)
        entries = [
            File(folder / file, _entry(title, question, call, kept.types))
            for file, (title, question) in _ENTRIES.items()
        ]
        return [*entries, desktop.icon(machine), *kept.files]

    def advice(self, machine: Machine, call: Call) -> Sequence[str]:  # noqa: ARG002
        """Say where the entries are."""
        return ("choose photos, then Open With in the context menu.",)

    def refresh(self, machine: Machine) -> None:
        """Have the desktop read its entries again."""
        desktop.refresh(machine)


def _entry(title: str, question: str, call: Call, types: Sequence[str]) -> bytes:
    words = call.words("plugin", "show", question)
    return desktop.entry(
        {
            "Name": title,
            "Exec": desktop.command_line([*words, "--"], "%F"),
            "TryExec": call.program[0],
            "Icon": "twinlens",
            "Terminal": "false",
            "NoDisplay": "true",  # for files alone: no entry in the menu of programs
            "Categories": "Graphics;",
            "InitialPreference": "0",  # KDE: nobody's default
            "MimeType": "".join(f"{name};" for name in types),
        }
    )


integration = DigiKam()
