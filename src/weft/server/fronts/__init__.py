"""The world outside: handshakes, frames, shutdown."""
