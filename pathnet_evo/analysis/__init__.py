"""What came out of runs: results, statistics, summaries and comparisons."""
