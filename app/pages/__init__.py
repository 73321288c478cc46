"""The dashboard: one page at ``/`` and its files below ``/ui``. It knows the public API and nothing else."""
