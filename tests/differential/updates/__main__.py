"""``PYTHONPATH=tests python -m differential.updates --help``."""

from differential.updates.command import main

if __name__ == "__main__":
    raise SystemExit(main())
