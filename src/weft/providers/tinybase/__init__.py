"""TinyBase's synchronizers: over a websocket, within a process, and over what a program has of its own."""
