"""One TOML a published experiment, and the default."""
