"""The review page: a local web page on which duplicates are looked at and decided on.

Nothing here may be imported by another command: it takes the web framework with it, and the command
line must start fast.
"""
