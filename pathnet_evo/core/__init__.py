"""Genotypes, modules, the pool that tasks share, and networks of paths through it."""
