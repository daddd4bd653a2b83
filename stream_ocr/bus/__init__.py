"""Event bus: events over sockets, published once they are committed and replayed on request."""
