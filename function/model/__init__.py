"""Loading a model and asking it; knows nothing of HTTP."""
