"""Every engine behind one protocol."""
