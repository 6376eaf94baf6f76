"""Who is in an album, when nobody has been named yet: faces grouped by person, in folders to rename."""
