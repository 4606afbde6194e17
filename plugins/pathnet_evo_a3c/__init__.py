"""Advantage actor-critic on many paths at once, as a plugin of pathnet-evo."""
