"""Whatever names and words items have, what is written for them can be imported, and reads them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ddbstream._infer.grouping import Grouping
from ddbstream._infer.inference import Inference
from ddbstream._infer.source import STYLES
from tests.unit.infer.test_tables import LIBRARIES

#: Keywords, what every class has, what the written modules use, quotes, and what is no identifier.
NAMES = (
    *("class", "from", "None", "match", "type", "self", "cls", "mro", "registry", "x" * 300),
    *("__debug__", "__class__", "__init__", "__slots__", "__dict__", "__doc__", "_x", "__x"),
    *("__annotations__", "__match_args__", "__attrs_attrs__", "__struct_fields__", "model_config"),
    *("model", "keys", "field", "Any", "Literal", "datetime", "router", "StreamRouter", "by_keys"),
    *("str", "int", "list", "dict", "json", "copy", "schema", "test", "pydantic", "annotations"),
    *("a b", "a.b", "1", "", "#", "##", "a#", "%s", "{a}", "}", 'x"y', "x'''y", 'x"""y', "a\\"),
    *("é", "ß", "ﬁ", "İ", "ǅ", "\n", "\x00", "\u202e", "PK", "pk", "sk", "id", "entity", "_type"),
)
names = st.sampled_from(NAMES)
values = st.recursive(
    st.one_of(
        st.builds(lambda text: {"S": text}, names),
        st.sampled_from([{"N": "1"}, {"BOOL": True}, {"NULL": True}, {"SS": ["class", "x"]}]),
    ),
    lambda inner: st.one_of(
        st.builds(lambda held: {"M": held}, st.dictionaries(names, inner, max_size=2)),
        st.builds(lambda held: {"L": held}, st.lists(inner, max_size=2)),
    ),
    max_leaves=4,
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[dict[str, Any]]]:
    """The names of the keys, and items of one or two kinds."""
    keys = draw(st.lists(names.filter(bool), min_size=1, max_size=2, unique=True))
    kinds = draw(st.lists(st.tuples(names, st.booleans()), min_size=1, max_size=3))
    items = []
    for number, (word, says) in enumerate(kinds * 4):
        item = draw(st.dictionaries(names, values, max_size=3))
        item |= {key: {"S": f"{word}#{number}"} for key in keys}
        items.append({**item, "entity": {"S": word or "x"}} if says else item)
    return keys, items


def written(name: str) -> tuple[list[str], list[dict[str, Any]]]:
    """A table with that name as a key, and another attribute."""
    items = [{name: {"S": f"A#{n}"}, "sk": {"S": f"A#{n}"}, "b": {"N": "1"}} for n in range(4)]
    return [name, "sk"], items


INSTALLED = [one for one in STYLES if find_spec(LIBRARIES.get(one, "dataclasses")) is not None]


@given(st.sampled_from(INSTALLED), tables())
@example("dataclass", written("class"))
@example("dataclass", written("__debug__"))
@example("dataclass", (["pk"], [{"pk": {"S": "A"}, "mro": {"S": "x"}, "next": {"S": "y"}}] * 4))
def test_any_names_make_a_module_that_reads_its_items(
    style: str, table: tuple[list[str], list[dict[str, Any]]]
) -> None:
    keys, items = table
    inference = Inference(Grouping(keys=keys), style=style)
    for item in items:
        inference.add(item)
    reader = inference.reader(inference.module("Models.", router=True))
    for item in items:
        assert reader.read(item) is not None
    reader.close()
    compile(inference.test("models"), "<test>", "exec")
