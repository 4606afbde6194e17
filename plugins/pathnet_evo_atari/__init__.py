"""Atari games of the Arcade Learning Environment, as a plugin of pathnet-evo."""
