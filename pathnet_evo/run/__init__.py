"""The run directory: lineage, checkpoints, summary, and how they are read again."""
