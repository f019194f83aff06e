"""MurmurHash3_x86_32 with seed 0, as a signed number: what scikit-learn hashes terms by.

Follows sklearn/utils/src/MurmurHash3.cpp, which is Austin Appleby's.
"""

from __future__ import annotations

from struct import unpack_from

_MASK = 0xFFFFFFFF
_FIRST, _SECOND = 0xCC9E2D51, 0x1B873593


def murmur3(key: bytes) -> int:
    """Return the hash of the key, from -2**31 to 2**31 - 1."""
    size, found = len(key), 0
    for block in unpack_from(f"<{size // 4}I", key):
        block = block * _FIRST & _MASK
        found ^= (block << 15 | block >> 17) * _SECOND & _MASK
        found = ((found << 13 | found >> 19) * 5 + 0xE6546B64) & _MASK
    if size & 3:
        block = int.from_bytes(key[size & ~3 :], "little") * _FIRST & _MASK
        found ^= (block << 15 | block >> 17) * _SECOND & _MASK
    found ^= size
    found = (found ^ found >> 16) * 0x85EBCA6B & _MASK
    found = (found ^ found >> 13) * 0xC2B2AE35 & _MASK
    found ^= found >> 16
    return found - (found >> 31 << 32)
