"""Content codings of bodies whose length nobody knows, a part at a time (RFC 9110, 8.4)."""

from __future__ import annotations

import zlib

from function.errors import MalformedRequest

PART_BYTES = 65_536
"""Most that is made of what was sent at a time: a kilobyte may stand for a megabyte."""
_GZIP = 31
_FASTEST = 1


class Plain:
    """What is sent as it is."""

    def __init__(self) -> None:
        self._fed = b""

    @property
    def is_empty(self) -> bool:
        """Whether ``take`` has nothing until more is fed."""
        return not self._fed

    def feed(self, data: bytes) -> None:
        self._fed += data

    def take(self) -> bytes:
        """The next part; raises MalformedRequest (400)."""
        part, self._fed = self._fed, b""
        return part

    def end(self) -> None:
        """Nothing more is fed; raises MalformedRequest (400) where more is needed."""


class Inflating(Plain):
    """What is sent compressed, of one stream after the other, as gzip has them."""

    def __init__(self, window_bits: int) -> None:
        super().__init__()
        self._window_bits = window_bits
        self._stream = zlib.decompressobj(window_bits)
        self._is_begun = False

    def take(self) -> bytes:
        if self._stream.eof and self._fed:
            self._stream = zlib.decompressobj(self._window_bits)
        self._is_begun = True
        try:
            part = self._stream.decompress(self._fed, PART_BYTES)
        except zlib.error:
            told = "The body is not what its Content-Encoding says."
            raise MalformedRequest(told) from None
        self._fed = self._stream.unconsumed_tail or self._stream.unused_data
        return part

    def end(self) -> None:
        if self._is_begun and not self._stream.eof:
            raise MalformedRequest("The body ends before the stream of its Content-Encoding.")


class Deflating:
    """gzip for an answer that is read while it is made."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(_FASTEST, wbits=_GZIP)

    def __call__(self, data: bytes, is_last: bool) -> bytes:
        how = zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH
        return self._stream.compress(data) + self._stream.flush(how)
