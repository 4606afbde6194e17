"""A run's folder: its lineage, its checkpoints, its lock, and how they are read again."""
