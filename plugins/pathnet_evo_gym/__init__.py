"""Gymnasium environments, as a plugin of pathnet-evo."""
