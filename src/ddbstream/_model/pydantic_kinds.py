"""Kinds that only pydantic knows: URLs, addresses, secrets, whatever has a schema of its own.

Rules:

- pydantic reads and writes such a value alone, as text or a whole number: what its JSON schema
  says it is. So unions, sets and maps of it obey the same rules as those of any scalar.
- What would not be read back as it was is refused when it is written. What pydantic cannot say, or
  reads from another form than it keeps (``Json``, ``Base64Bytes``), is refused when the class is
  bound.
"""

from __future__ import annotations

import sys
from typing import Any

from ddbstream._model.nodes import raised
from ddbstream._model.scalars import BytesNode, IntNode, Scalar, StrNode
from ddbstream.exceptions import EncodeError, ModelDefinitionError

#: Marks of annotations whose values are read from text in another form than they are kept in.
_ENCODINGS = frozenset({"Json", "EncodedBytes", "EncodedStr"})

_SCALARS: dict[str, type[Scalar]] = {"string": StrNode, "integer": IntNode}


def refuse_encodings(mark: Any) -> None:
    """Raise a ModelDefinitionError if a mark is one of pydantic's that decode while reading."""
    kind = mark if isinstance(mark, type) else type(mark)
    if kind.__name__ in _ENCODINGS and kind.__module__.startswith("pydantic."):
        raise ModelDefinitionError(
            f"pydantic's {kind.__name__} reads what it does not keep; annotate the field with what "
            "is stored"
        )


def pydantic_kind(cls: Any) -> Scalar | None:
    """The node of a class that pydantic knows, or None; raises ModelDefinitionError."""
    refuse_encodings(cls)
    pydantic: Any = sys.modules["pydantic"]
    if hasattr(cls, "get_secret_value"):
        for secret, inner in ((pydantic.SecretStr, StrNode), (pydantic.SecretBytes, BytesNode)):
            if isinstance(cls, type) and issubclass(cls, secret):
                return SecretNode(cls, inner())
        return None
    try:
        adapter = pydantic.TypeAdapter(cls)
        kinds = {
            adapter.json_schema(mode=mode).get("type") for mode in ("validation", "serialization")
        }
    except Exception:  # noqa: BLE001 - whatever it raises, it has no such kind
        return None
    # a size in bytes is written as a number, and read from text too
    for kind in ("integer", "string"):
        if kind in kinds:
            return PydanticNode(cls, adapter, _SCALARS[kind]())
    return None


class PydanticNode(Scalar):
    """A kind that pydantic reads from, and writes as, one text or whole number."""

    def __init__(self, cls: Any, adapter: Any, inner: Scalar) -> None:
        self.tag, self.json, self.python = inner.tag, inner.json, cls
        super().__init__()
        self._adapter, self._inner = adapter, inner
        self._name = getattr(cls, "__name__", str(cls))
        self.detail = f"{inner.detail} that {self._name} accepts"

    def parse(self, payload: Any) -> Any:
        return self._adapter.validate_python(self._inner.parse(payload))

    def unparse(self, value: Any, json: bool) -> Any:
        try:
            stored = self._adapter.dump_python(value, mode="json", warnings="none")
            read = self._adapter.validate_python(stored)
            is_same = type(read) is type(value) and bool(read == value)
        except Exception as error:  # noqa: BLE001 - its text holds the value
            problem = f"{self._name} refused the value with {raised(error)}"
        else:
            if is_same:
                return self._inner.unparse(stored, json)
            problem = f"the {self._name} would not be read back as it is"
        raise EncodeError(problem)

    def holds(self, value: Any) -> bool:
        try:
            # the values of EmailStr are plain text, those of PastDate plain dates
            return bool(self._adapter.validate_python(value, strict=True) == value)
        except Exception:  # noqa: BLE001 - whatever it raises, the value is of another kind
            return False

    def to_text(self, value: Any) -> str:
        return str(self.unparse(value, json=True))


class SecretNode(Scalar):
    """``SecretStr`` and ``SecretBytes``: what they hide is stored."""

    def __init__(self, cls: Any, inner: Scalar) -> None:
        self.tag, self.json, self.python = inner.tag, inner.json, cls
        super().__init__()
        self._inner, self.detail = inner, inner.detail

    def parse(self, payload: Any) -> Any:
        return self.python(self._inner.parse(payload))

    def unparse(self, value: Any, json: bool) -> Any:
        if not isinstance(value, self.python):
            raise self.refuse(value)
        return self._inner.unparse(value.get_secret_value(), json)  # type: ignore[attr-defined]
