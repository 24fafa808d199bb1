"""The pycrdt document; ``binding.py`` alone reaches below its public names."""
