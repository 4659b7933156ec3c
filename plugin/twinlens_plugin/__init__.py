"""The plugin: the command line that photographers and photo managers call."""
