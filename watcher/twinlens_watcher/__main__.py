"""``python -m twinlens_watcher``."""

from twinlens_watcher.main import main

main()
