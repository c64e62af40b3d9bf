"""Speed as ratios taken in one run; never a timed test. `make bench BENCH=name`."""
