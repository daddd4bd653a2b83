"""A run of cameras: what holds it, watches it, and tells how it is."""
