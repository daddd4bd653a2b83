"""Many hosts: the events of all of them in one place."""
