"""The bytes of Yjs: integers, state vectors, updates, and the guard before the binding."""
