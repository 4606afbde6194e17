"""Evolutionary strategies, one a file; ``base`` holds the contract."""
