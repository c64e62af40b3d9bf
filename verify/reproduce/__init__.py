"""The papers' experiments, scaled down: run, table, figure, and which claims were seen.

experiment  a file of examples/reproduce/: settings, sweep, what the paper says, claims
claims      a claim's kind and its verdict, computed from the cells
page, figure  what is written about it
"""
