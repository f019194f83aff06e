"""Functions Framework's own WSGI application around `hello`, for servers other than gunicorn."""

from pathlib import Path

import functions_framework

app = functions_framework.create_app("hello", str(Path(__file__).with_name("hello.py")))
