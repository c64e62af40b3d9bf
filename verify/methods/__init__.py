"""What becomes of every method on every engine, measured."""
