"""The commands, one module each. A command's module is imported only when it is called."""
