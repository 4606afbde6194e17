"""Transfer policies: what becomes of the pool between two stages, a file each."""
