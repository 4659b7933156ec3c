"""``python -m twinlens_worker``."""

from twinlens_worker.main import main

if __name__ == "__main__":
    main()
