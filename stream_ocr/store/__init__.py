"""Events kept in SQLite: one writer, any number of readers, also while it writes."""
