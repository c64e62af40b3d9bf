"""From a trained module to a network that an engine or a chip can hold."""
