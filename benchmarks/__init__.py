"""Side-by-side measurements of weft against the peers: ``python -m benchmarks``."""
