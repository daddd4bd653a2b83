"""Reading of files that are sent over HTTP: ``stream-ocr serve``."""
