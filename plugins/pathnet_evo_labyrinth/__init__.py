"""First-person levels in a labyrinth, as a plugin of pathnet-evo."""
