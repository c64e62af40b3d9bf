"""Analyses that need counts and energy, and the tables and pictures of all of them."""

from .energy import Point, against_energy

__all__ = ["Point", "against_energy"]
