"""The endpoints: each parses, calls what jobs and ingest have, and answers."""
