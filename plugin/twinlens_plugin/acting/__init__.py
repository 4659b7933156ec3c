"""Acting on duplicates, safely: plans, the journal, the steps of an action, and their undoing.

What holds for every action:
1. It is in the journal, on disk, before it happens (``journal``).
2. It is made of steps that lose no bytes wherever a crash stops them, and that can tell from the
   disk how far they came (``steps``).
3. Both files are read whole again right before it; what changed is left alone (``guard``).
4. It is reversed by ``undoing``, which also clears up what a crash left half done.
"""
