"""The top floor: run a network on many engines and say whether it is still the same network."""
