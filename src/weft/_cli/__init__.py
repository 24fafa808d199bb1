"""What the commands do; ``weft.cli`` reads the command line."""
