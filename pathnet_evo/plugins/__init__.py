"""Finding plugins: hooks, files, what is built in, and the registry of all of them."""
