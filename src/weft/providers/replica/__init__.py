"""The durable replica: a document that is on disk before any of it is sent."""
