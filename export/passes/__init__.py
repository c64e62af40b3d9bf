"""Rewrites of a network that keep every spike: one a file, in the order of the recipes."""
