"""``python -m twinlens_plugin`` is ``twinlens``."""

from twinlens_plugin.main import main

if __name__ == "__main__":
    main()
