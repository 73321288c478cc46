"""The client, asynchronous. ``client.blocking`` is made from these modules by scripts/blocking-client."""
