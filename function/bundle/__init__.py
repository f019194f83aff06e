"""One file with the bytecode of all that a start imports, for an image: see __main__.py."""
