"""twinlens: which of these photos are duplicates, and which look alike?

This package is the core that the watcher, the worker and the plugin share. It knows none of them.
"""

__version__ = "0.1.0"
