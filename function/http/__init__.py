"""The core: a request as plain data in, a response as plain data out; no web framework."""
