#!/bin/sh
# Written by "twinlens plugin install nautilus"; "twinlens plugin remove nautilus" takes it away.
#
# Nautilus names the chosen files in a variable, one a line; a name with a line break in it cannot be
# told from two names, and is answered as one that is not there.
printf '%s' "$NAUTILUS_SCRIPT_SELECTED_FILE_PATHS" | exec @COMMAND@ --files-from -
