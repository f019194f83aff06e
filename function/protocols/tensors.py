"""The texts in the input tensors of the Open Inference Protocol: as JSON has them, or in binary
data behind it, or in base64 where a tensor says so as MLServer's clients do.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
https://github.com/SeldonIO/MLServer/blob/1.7.1/mlserver/codecs/base64.py
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from function.errors import MalformedRequest
from function.protocols.rows import texts_of
from function.settings import Settings

HEADER_LENGTH = "inference-header-content-length"
BASE64 = "base64"


class _Tensor(NamedTuple):
    """An input of datatype BYTES, and its binary data where it has any."""

    place: int
    given: Mapping[str, Any]
    binary: bytes | None


def parted(body: bytes, headers: Mapping[str, str]) -> tuple[bytes, bytes]:
    """The JSON of a body, and the binary data behind it."""
    given = headers.get(HEADER_LENGTH)
    if given is None:
        return body, b""
    if not given.isdecimal() or int(given) > len(body):
        raise MalformedRequest("Inference-Header-Content-Length is no length within the body.")
    return body[: int(given)], body[int(given) :]


def texts_in(inputs: Any, binary: bytes, column: str | None, settings: Settings) -> list[str]:
    """The elements of the tensor of strings that is named ``column``, else of the first.

    Raises MalformedRequest (400), or InvalidInput (422) for texts that are none, or too many.
    """
    if not isinstance(inputs, list) or not inputs:
        raise MalformedRequest("inputs is a list of at least one tensor.")
    tensors = list(_of_strings(inputs, binary))
    if not tensors:
        raise MalformedRequest("No input tensor has the datatype BYTES.")
    named = (tensor for tensor in tensors if tensor.given["name"] == column)
    place, given, content = next(named, tensors[0])
    elements = list(_flat(given.get("data")) if content is None else _elements(content))
    _check_shape(given.get("shape"), len(elements))
    if parameters(given).get("content_type") == BASE64:
        elements = [_from_base64(element) for element in elements]
    return texts_of(elements, settings, f"/inputs/{place}/data")


def an_object(given: Any, name: str) -> dict[str, Any]:
    """What is given, which is a JSON object; else MalformedRequest (400)."""
    if not isinstance(given, dict):
        raise MalformedRequest(f"{name} is no JSON object.")
    return given


def name_of(tensor: Mapping[str, Any], where: str) -> str:
    """The name, which every tensor has; else MalformedRequest (400)."""
    name = tensor.get("name")
    if not isinstance(name, str):
        raise MalformedRequest(f"{where} has no name.")
    return name


def parameters(of: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a request, or of a tensor."""
    return an_object(of.get("parameters", {}), "parameters")


def _of_strings(inputs: Sequence[Any], binary: bytes) -> Iterator[_Tensor]:
    """The tensors of datatype BYTES; whatever they are, each takes its share of binary data."""
    for place, item in enumerate(inputs):
        given = an_object(item, f"inputs[{place}]")
        name_of(given, f"inputs[{place}]")
        size, content = parameters(given).get("binary_data_size"), None
        if size is not None:
            content = _taken(binary, size)
            binary = binary[size:]
        if given.get("datatype") == "BYTES":
            yield _Tensor(place, given, content)


def _taken(binary: bytes, size: Any) -> bytes:
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(binary):
        raise MalformedRequest("binary_data_size is not the size of data that follows the JSON.")
    return binary[:size]


def _elements(content: bytes) -> Iterator[str]:
    """BYTES in binary: each element after its length, four bytes little-endian."""
    place = 0
    while place < len(content):
        if place + 4 > len(content):
            raise MalformedRequest("The binary data ends within a length.")
        (size,) = struct.unpack_from("<I", content, place)
        element = content[place + 4 : place + 4 + size]
        if len(element) < size:
            raise MalformedRequest("The binary data ends within an element.")
        try:
            yield element.decode()
        except UnicodeDecodeError:
            raise MalformedRequest("An element of the binary data is not UTF-8.") from None
        place += 4 + size


def _flat(values: Any) -> Iterator[Any]:
    """The elements of a tensor's data, nested or not, in row-major order."""
    if isinstance(values, str) or not hasattr(values, "__iter__") or isinstance(values, dict):
        raise MalformedRequest("data is a list of strings.")
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _check_shape(shape: Any, count: int) -> None:
    """One text for each place of the shape."""
    total = 1
    if not isinstance(shape, list) or not shape:
        raise MalformedRequest("shape is a list of sizes.")
    for size in shape:
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise MalformedRequest("shape is a list of sizes.")
        total *= size
    if total != count:
        raise MalformedRequest(f"The shape has room for {total} elements, and data has {count}.")


def _from_base64(element: Any) -> Any:
    """A text; what is no string is left to be refused as no text."""
    if not isinstance(element, str):
        return element
    try:
        return binascii.a2b_base64(element, strict_mode=True).decode()
    except ValueError:  # of the coding, or of UTF-8
        raise MalformedRequest("An element is not UTF-8 in base64.") from None
