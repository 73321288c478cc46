"""Webhooks: telling other services of changes of state, signed, until they have heard."""
