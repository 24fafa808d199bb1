"""What a Store is made of, each usable without one."""
