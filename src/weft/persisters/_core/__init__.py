"""When to load and save, and what must not get lost on the way; every place is an adapter of it."""
