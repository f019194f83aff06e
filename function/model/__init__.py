"""Loading a model, once, and whence: knows nothing of HTTP."""
