"""Folders of faces that are nobody's: what they are called is no name of a person."""

ALONE = "seen-once"
"""The folder in which `visavis people` puts faces that are like no other."""
UNKNOWN = "(unknown)"
"""The folder in which `predict --crops by-person` puts the faces of nobody who is known."""
OF_NOBODY = (ALONE, UNKNOWN)
