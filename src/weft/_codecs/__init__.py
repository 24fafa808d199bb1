"""The bytes of each kind of document; never a binding, never a Store."""
