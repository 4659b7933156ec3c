"""How well copies, crops, similar photos and bursts are found, beside what others use for it."""
