"""A run over cameras: pipeline, reload of settings, health, metrics, preview."""
