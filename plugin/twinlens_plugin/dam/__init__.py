"""twinlens inside other programs: photo managers, file managers.

``integration`` says what one is, ``registry`` which there are, ``installing`` writes and removes
their files, by the ``record`` of what was written.
"""
