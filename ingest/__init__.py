"""Turns what users upload into memory-mapped columns with a schema."""
