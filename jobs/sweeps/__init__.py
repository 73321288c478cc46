"""Sweeps: one spec tried with many values, each trial a job of its own."""
