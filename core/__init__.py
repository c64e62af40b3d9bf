"""The ground floor: words and numbers. Needs numpy, h5py, nir and pydantic only."""
