"""Runs in Lava's Python 3.10 and knows nothing of the rest of the package: an oracle of its own."""
