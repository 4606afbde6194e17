"""Contract kits: tests that plugin authors subclass, one kit a family of plugins."""
