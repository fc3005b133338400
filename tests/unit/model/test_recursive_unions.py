"""Unions of classes that have the union in their fields: trees, as a program's syntax is one.

The field that tells the classes apart may stand after those that hold other nodes: where it has a
default, it must.
"""

# ruff: noqa: UP007, UP045 - the aliases are used as text before they are made

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from enum import Enum
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, Optional, TypeVar, Union

import pytest
from typing_extensions import TypedDict

from ddbstream import Attribute, from_item, keys, to_item
from ddbstream.exceptions import DecodeError, ModelDefinitionError
from ddbstream.models import decoder_source
from tests.support.errors import too_deep
from tests.unit.model.reading import codec_for, quickly, slowly

attrs = pytest.importorskip("attrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")

T = TypeVar("T")


class Kind(Enum):
    SUM = "sum"
    LEAF = "leaf"


@dataclass
class DataSum:
    left: DataTree
    others: list[DataTree] = field(default_factory=list)
    named: dict[str, DataTree] = field(default_factory=dict)
    kind: Final[Literal["sum"]] = "sum"  # noqa: PYI064 - a dataclass reads it


@dataclass
class DataLeaf:
    value: int
    above: DataTree | None = None
    kind: Annotated[Literal["leaf"], Attribute("kind")] = "leaf"


DataTree = Union[DataSum, DataLeaf]


@dataclass
class EnumSum:
    left: EnumTree
    kind: Literal[Kind.SUM] = Kind.SUM


@dataclass
class EnumLeaf:
    above: EnumTree | None = None
    kind: Literal[Kind.LEAF] = Kind.LEAF


EnumTree = Union[EnumSum, EnumLeaf]


@keys(PK="{kind}")
@dataclass
class KeySum:
    left: KeyTree
    kind: Literal["sum"] = "sum"


@keys(PK="{kind}")
@dataclass
class KeyLeaf:
    above: KeyTree | None = None
    kind: Literal["leaf"] = "leaf"


KeyTree = Union[KeySum, KeyLeaf]


@dataclass
class GenericSum(Generic[T]):
    left: Union[GenericSum[T], GenericLeaf[T]]
    kind: Literal["sum"] = "sum"


@dataclass
class GenericLeaf(Generic[T]):
    value: T
    above: Union[GenericSum[T], GenericLeaf[T], None] = None
    kind: Literal["leaf"] = "leaf"


@attrs.define
class AttrsSum:
    left: AttrsTree
    kind: Literal[1] = 1


@attrs.define
class AttrsLeaf:
    above: AttrsTree | None = None
    kind: Literal[2] = 2


AttrsTree = Union[AttrsSum, AttrsLeaf]


class StructSum(msgspec.Struct, tag=True):
    left: StructTree


class StructLeaf(msgspec.Struct, tag=True):
    above: Optional[StructTree] = None


StructTree = Union[StructSum, StructLeaf]


class PydanticSum(pydantic.BaseModel):
    left: PydanticTree
    kind: Literal["sum"] = "sum"


class PydanticLeaf(pydantic.BaseModel):
    above: PydanticTree | None = None
    kind: Literal["leaf"] = "leaf"


PydanticTree = Annotated[Union[PydanticSum, PydanticLeaf], pydantic.Field(discriminator="kind")]
PydanticSum.model_rebuild()
PydanticLeaf.model_rebuild()


class TupleSum(NamedTuple):
    left: TupleTree
    kind: Literal["sum"] = "sum"


class TupleLeaf(NamedTuple):
    above: TupleTree | None = None
    kind: Literal["leaf"] = "leaf"


TupleTree = Union[TupleSum, TupleLeaf]


class TypedSum(TypedDict):
    left: TypedTree
    kind: Literal["sum"]


class TypedLeaf(TypedDict, total=False):
    above: TypedTree
    kind: Literal["leaf"]


TypedTree = Union[TypedSum, TypedLeaf]

TREES = [
    (DataSum(DataSum(DataLeaf(1, DataLeaf(2))), [DataLeaf(3)], {"a": DataLeaf(4)}), DataTree),
    (EnumSum(EnumSum(EnumLeaf(EnumLeaf()))), EnumTree),
    (KeySum(KeySum(KeyLeaf(KeyLeaf()))), KeyTree),
    (GenericSum(GenericLeaf(1)), Union[GenericSum[int], GenericLeaf[int]]),
    (AttrsSum(AttrsSum(AttrsLeaf(AttrsLeaf()))), AttrsTree),
    (StructSum(StructSum(StructLeaf(StructLeaf()))), StructTree),
    (PydanticSum(left=PydanticSum(left=PydanticLeaf(above=PydanticLeaf()))), PydanticSum),
    (TupleSum(TupleSum(TupleLeaf(TupleLeaf()))), TupleTree),
    ({"kind": "sum", "left": {"kind": "leaf", "above": {"kind": "leaf"}}}, TypedTree),
]


@pytest.mark.parametrize(("tree", "model"), TREES, ids=lambda value: type(value).__name__)
def test_a_tree_is_read_as_it_was_written(tree: Any, model: Any) -> None:
    item = to_item(tree, wire="json", model=model)
    assert from_item(item, model) == quickly(item, model) == slowly(item, model) == tree


@pytest.mark.parametrize("cls", [DataSum, EnumSum, KeySum, AttrsSum, StructSum, TupleSum])
def test_either_class_may_be_the_model(cls: Any) -> None:
    leaf = {"DataSum": DataLeaf(1), "EnumSum": EnumLeaf(), "KeySum": KeyLeaf()}
    leaf |= {"AttrsSum": AttrsLeaf(), "StructSum": StructLeaf(), "TupleSum": TupleLeaf()}
    for tree in (cls(leaf[cls.__name__]), leaf[cls.__name__]):
        assert from_item(to_item(tree), type(tree)) == tree


def test_an_error_says_where_in_the_tree() -> None:
    leaf = {"M": {"kind": {"S": "leaf"}, "value": {"S": "x"}}}
    item = {"kind": {"S": "sum"}, "left": {"M": {"kind": {"S": "sum"}, "left": leaf}}}
    with pytest.raises(DecodeError, match=r"expected N, got S at left\.left\.value"):
        from_item(item, DataSum)
    for _ in range(40):
        leaf = {"M": {"kind": {"S": "sum"}, "left": leaf}}
    with too_deep(DecodeError):
        from_item({**item, "left": leaf}, DataSum)


@pytest.mark.parametrize("template", ["{kind}#{n}", "K#{kind}", "{kind}#"])
def test_what_is_but_a_part_of_a_key_is_no_tag(template: str) -> None:
    classes = [
        keys(PK=template)(make_dataclass(name, [("kind", Literal[name]), ("n", int, 1)]))
        for name in ("a", "b")
    ]
    with pytest.raises(ModelDefinitionError, match="to tell them apart"):
        codec_for(Union[classes[0], classes[1]])


def test_the_code_of_nested_unions_does_not_double_with_each_level() -> None:
    def length(levels: int) -> int:
        inner: Any = int
        for level in range(levels):
            both = [("a", inner), ("b", inner)]
            inner = Union[
                make_dataclass(f"A{level}", [*both, ("kind", Literal["a"], "a")]),
                make_dataclass(f"B{level}", [*both, ("kind", Literal["b"], "b")]),
            ]
        return len(decoder_source(make_dataclass("Holder", [("it", inner)])))

    assert length(8) <= 3 * length(4)
