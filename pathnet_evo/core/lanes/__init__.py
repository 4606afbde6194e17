"""Many paths through one pool at once: a forward pass and gradients for each of them."""
