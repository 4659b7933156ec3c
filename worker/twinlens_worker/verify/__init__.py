"""Verification: two pictures are aligned and compared, and what they are to each other is said."""
