"""Contact sheets: one HTML file with its thumbnails in it, to mail, to print or to keep.

1. Nothing is loaded: no script, no font, no address; a policy in the file forbids it too. 2. It is
written as it is made, a group at a time: memory is that of one group. 3. It appears under its name
when it is whole, and never in the place of a file that is no sheet.
"""
