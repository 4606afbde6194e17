"""Where trials run: one after another here, or several at a time in processes of their own."""
