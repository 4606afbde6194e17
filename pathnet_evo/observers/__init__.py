"""Observers: what hears of a run's progress besides its lineage."""
