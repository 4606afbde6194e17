"""A trial: one arm learns the sequence of tasks, stage by stage."""
