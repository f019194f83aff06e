"""Wire formats: bytes <-> texts and predictions, one module per protocol."""
