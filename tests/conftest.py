"""Settings of every test."""

from hypothesis import settings

# a busy machine is no failure: speed is measured in benchmarks/, never in a test
settings.register_profile("spikeport", deadline=None, print_blob=True)
settings.load_profile("spikeport")
