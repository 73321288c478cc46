"""Base models: brought to the volume, described, and taken into the networks of jobs."""
