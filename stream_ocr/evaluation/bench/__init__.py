"""Benchmarks: cost and accuracy of reading videos, next to other programs, each in its own process."""
