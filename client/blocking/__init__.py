"""The client, blocking: made from ``client.aio`` by scripts/blocking-client."""
