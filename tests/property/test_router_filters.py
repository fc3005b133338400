"""``filter_criteria()`` never drops a record that a route wants, or that would fail.

Random routers over random records: each record that the derived filters leave out is dispatched,
and has to be done without a handler having run.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from ddbstream import StreamRouter, by_attribute, by_key_prefix, by_keys, by_table_name, keys
from ddbstream.exceptions import MissingImageError, RouteDefinitionError
from ddbstream.filters import Pattern, lint
from tests.support.stream_records import TTL

TEXTS = ["A#1", "A", "B#2", "a#1", "#", "", "A#B#3", "C"]
BOTH = "NEW_AND_OLD_IMAGES"
NAMES = ["PK", "SK", "_type", "x"]

values = st.one_of(
    st.sampled_from([{"S": text} for text in TEXTS]),
    st.sampled_from([{"N": "5"}, {"BOOL": True}, {"NULL": True}, {"SS": ["A#1", "C"]}]),
    st.sampled_from([{"M": {"x": {"S": "A#1"}}}, {"L": [{"S": "C"}]}]),
)
images = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)


@st.composite
def wire_records(draw: st.DrawFn, table_keys: tuple[str, ...]) -> dict[str, Any]:
    """Any record of a table: keys are in the images, the view type says which images are there."""
    name = draw(st.sampled_from(["INSERT", "MODIFY", "REMOVE"]))
    view = draw(st.sampled_from(["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]))
    item_keys = draw(st.fixed_dictionaries(dict.fromkeys(table_keys, values)))
    change: dict[str, Any] = {"Keys": item_keys, "SequenceNumber": "1", "StreamViewType": view}
    if name != "REMOVE" and view in {"NEW_IMAGE", "NEW_AND_OLD_IMAGES"}:
        change["NewImage"] = {**draw(images), **item_keys}
    if name != "INSERT" and view in {"OLD_IMAGE", "NEW_AND_OLD_IMAGES"}:
        change["OldImage"] = {**draw(images), **item_keys}
    record: dict[str, Any] = {
        "eventID": "1",
        "eventName": name,
        "dynamodb": change,
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:1:table/A/stream/x",
    }
    if name == "REMOVE" and draw(st.booleans()):
        record |= TTL
    return record


@keys(PK="A#{id}")
class OnePart:
    id: str


@keys(PK="{id}#1", SK="C")
class Suffix:
    id: str


@keys(PK="B#{id}", _type="{kind}")
class Anything:
    id: str
    kind: str


classifiers = st.one_of(
    st.just(None),
    st.builds(by_table_name, aliases=st.sampled_from([None, {"A": "B"}])),
    st.builds(
        by_key_prefix,
        st.sampled_from(NAMES),
        separator=st.sampled_from(["#", "A#"]),
        aliases=st.sampled_from([None, {"A": "B"}, {"A": "C", "B": "A"}]),
    ),
    st.builds(by_attribute, st.sampled_from(NAMES), aliases=st.sampled_from([None, {"A#1": "A"}])),
    st.builds(by_attribute, preset=st.sampled_from(["dynamodb-onetable", "dynamodb-toolbox"])),
    st.just(by_keys(OnePart, Suffix, B=Anything)),
    st.just(lambda record: record.event_name),
)

tests = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from([{"prefix": "A"}, {"suffix": "1"}, {"anything-but": ["C", "A"]}]),
    st.sampled_from([{"exists": True}, {"exists": False}, {"equals-ignore-case": "a#1"}]),
)
leaves = st.lists(tests, min_size=1, max_size=2)
attribute_patterns = st.one_of(
    st.builds(lambda leaf: {"S": leaf}, leaves),
    st.just({"N": ["5"]}),
    st.just({"M": {"x": {"S": ["A#1"]}}}),
)
image_patterns = st.dictionaries(st.sampled_from(NAMES), attribute_patterns, min_size=1, max_size=2)
patterns = st.recursive(
    st.one_of(
        st.builds(
            lambda image, inside: {"dynamodb": {image: inside}},
            st.sampled_from(["Keys", "NewImage", "OldImage"]),
            image_patterns,
        ),
        st.builds(
            lambda names: {"eventName": names},
            st.lists(st.sampled_from(["INSERT", "MODIFY", "REMOVE"]), min_size=1),
        ),
    ),
    lambda inner: st.one_of(
        st.builds(lambda ors: {"$or": ors}, st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda a, b: {**a, **b}, inner, inner),
    ),
    max_leaves=4,
)


@st.composite
def routers(draw: st.DrawFn, ran: list[str], *, included: bool = False) -> StreamRouter:
    """A random router whose handlers note that they ran."""
    router = StreamRouter(classify=draw(classifiers))
    for _ in range(draw(st.integers(0, 4))):
        verb = draw(st.sampled_from(["on_insert", "on_modify", "on_remove", "on_change"]))
        options: dict[str, Any] = {}
        if draw(st.booleans()):
            options["changed"] = draw(st.sampled_from(["PK", "x"]))
        if draw(st.booleans()):
            options["where"] = draw(st.sampled_from([bool, lambda _: 1 / 0, lambda _: False]))
        if verb in {"on_remove", "on_change"} and draw(st.booleans()):
            options["ttl"] = draw(st.booleans())
        if draw(st.booleans()):
            pattern = draw(patterns)
            if not any(problem.fatal for problem in lint(pattern)):
                options["pattern"] = pattern
        entity = draw(st.sampled_from([None, "A", "B", "C", "A#1"]))
        with suppress(RouteDefinitionError):  # it can never match
            getattr(router, verb)(entity, **options)(lambda record: ran.append(record.event_name))
    if not included and draw(st.booleans()):
        with suppress(RouteDefinitionError):
            router.include(draw(routers(ran, included=True)))
    return router


@given(st.data())
def test_what_the_filters_leave_out_no_route_wanted(data: st.DataObject) -> None:
    ran: list[str] = []
    router = data.draw(routers(ran))
    table_keys = data.draw(st.sampled_from([("PK",), ("PK", "SK"), ("PK", "_type")]))
    criteria = router.filter_criteria(
        keys=data.draw(st.sampled_from([None, table_keys])),
        max_filters=data.draw(st.integers(1, 6)),
    )
    if criteria is None:
        event("nothing left out")
        return
    filters = [Pattern(one["Pattern"]) for one in criteria["Filters"]]
    for record in data.draw(st.lists(wire_records(table_keys), min_size=1, max_size=8)):
        if any(one.matches(record) for one in filters):
            event("passed")
            continue
        event("left out")
        result = router.dispatch([record])
        assert ran == []
        # A record that cannot be classified fails also where ttl= or pattern= would not want it.
        assert all(isinstance(error, MissingImageError) for _, error in result.failures)
        assert not result.failures or record["dynamodb"]["StreamViewType"] != BOTH
