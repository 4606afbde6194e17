"""Where trials run: one after another in this process, or several at a time elsewhere."""
