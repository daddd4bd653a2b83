"""Archives: thousands of files, read by several processes or by a Ray cluster. See docs/archive.md."""
