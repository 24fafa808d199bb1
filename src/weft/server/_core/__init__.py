"""A room, a client, a queue, a log, a registry, of whatever protocol."""
