"""Whether a network fits a chip: what its layers need, what a core has, and where they go."""
