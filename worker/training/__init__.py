"""How the bundled descriptor was made; not part of the wheel."""
