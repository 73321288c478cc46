"""Base models: as they are described on the volume, and taken into the networks of jobs."""
