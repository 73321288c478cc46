"""The ways by which a new job comes: from a spec, many at once, from another job."""
