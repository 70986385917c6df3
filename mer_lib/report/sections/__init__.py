"""The sections of the report page, one file each; adding a section is adding a file (see page.py)."""
