"""Every case on an engine, or on anybody's function: exact, within tolerance, refused, or wrong."""
