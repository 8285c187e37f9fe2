"""The pretext tasks of section 3.2 and their joint objective."""
