"""The recipes of a trainer host: one folder a kind, found by the registry."""
