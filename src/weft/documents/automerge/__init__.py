"""The Automerge document; ``binding.py`` alone imports the package."""
