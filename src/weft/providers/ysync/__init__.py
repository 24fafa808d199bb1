"""The y-websocket client."""
