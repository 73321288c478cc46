"""The local stack: embedded server, API and workers as children of one process."""
