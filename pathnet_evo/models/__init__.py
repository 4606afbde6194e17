"""Trained networks to use elsewhere: saved, loaded, exported, and described."""
