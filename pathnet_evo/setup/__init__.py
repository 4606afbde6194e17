"""From TOML to a plan: a configuration, checked by every plugin that it names."""
