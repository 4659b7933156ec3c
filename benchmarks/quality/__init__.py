"""How well copies, crops, similar photos and bursts are found, beside what others use for it."""

import sys
from types import ModuleType

try:
    import magic  # noqa: F401
except ImportError:
    # The system lacks libmagic, which AugLy asks what files are; the pictures here are in memory.
    sys.modules["magic"] = ModuleType("magic")
