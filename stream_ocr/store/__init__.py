"""The event store in SQLite: one writer, any number of concurrent readers."""
