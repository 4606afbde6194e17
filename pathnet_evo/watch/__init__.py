"""Watching runs in a browser while they work; nothing here writes to a run."""
