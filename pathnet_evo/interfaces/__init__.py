"""What plugins derive from and are given: tasks, learners, strategies, policies, observers."""
