"""Classifiers: from a record to its entity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ddbstream import (
    StreamRecord,
    StreamRouter,
    by_attribute,
    by_key_prefix,
    by_keys,
    by_table_name,
    keys,
    parse,
)
from ddbstream.exceptions import MissingImageError, RecordError, RouteDefinitionError
from tests.support.stream_records import ARN, wire_record


def made(record: dict[str, Any], arn: str | None = None) -> StreamRecord[Any]:
    from ddbstream._wire import read

    return next(read([record], stream_arn=arn))


def keyed(view: str = "NEW_AND_OLD_IMAGES", **item_keys: Any) -> StreamRecord[Any]:
    record = wire_record(view=view)
    record["dynamodb"]["Keys"] = item_keys
    return made(record)


class TestByTableName:
    def test_is_the_table_of_the_arn(self) -> None:
        assert by_table_name()(made(wire_record())) == "Shop"

    def test_takes_the_arn_that_the_caller_gave(self) -> None:
        record = wire_record()
        del record["eventSourceARN"]
        assert by_table_name()(made(record, ARN)) == "Shop"

    def test_refuses_a_record_of_which_nobody_says_the_stream(self) -> None:
        record = wire_record()
        del record["eventSourceARN"]
        router, seen = StreamRouter(), []
        router.on_insert("Shop")(seen.append)
        failure = router.dispatch([record]).failures[0]
        assert isinstance(failure.error, RecordError)
        assert "stream_arn=" in str(failure.error)
        assert failure.error.path == "eventSourceARN"
        assert router.dispatch([record], stream_arn=ARN).processed == len(seen) == 1

    def test_takes_the_name_that_a_kinesis_record_has(self) -> None:
        classify = by_table_name()
        for name in ("One", "Two"):
            record = {**wire_record(), "tableName": name}
            assert classify(made(record)) == name

    def test_renames(self) -> None:
        classify = by_table_name(aliases={"Shop": "Product"})
        assert [classify(made(wire_record())) for _ in range(2)] == ["Product", "Product"]

    @pytest.mark.parametrize("arn", ["stream-ARN", 7, "arn:aws:dynamodb:r:a:index/x"])
    def test_has_none_for_an_arn_that_is_none(self, arn: Any) -> None:
        assert by_table_name()(made({**wire_record(), "eventSourceARN": arn})) is None

    def test_does_not_remember_without_end(self) -> None:
        classify = by_table_name()
        for number in range(3000):
            arn = ARN.replace("Shop", f"T{number}")
            assert classify(made({**wire_record(), "eventSourceARN": arn})) == f"T{number}"
        known = next(
            c.cell_contents
            for c in classify.__closure__
            if isinstance(c.cell_contents, dict) and len(c.cell_contents) > 1
        )  # type: ignore[attr-defined]
        assert len(known) <= 1024


class TestByKeyPrefix:
    @pytest.mark.parametrize(
        ("key", "entity"),
        [
            ({"S": "Product#42"}, "Product"),
            ({"S": "Product#42#x"}, "Product"),
            ({"S": "Product#"}, "Product"),
            ({"S": "Product"}, None),
            ({"S": "#42"}, None),
            ({"S": ""}, None),
            ({"N": "42"}, None),
            ({"B": "UHJvZHVjdCM="}, None),
        ],
    )
    def test_is_what_stands_before_the_first_separator(self, key: Any, entity: Any) -> None:
        assert by_key_prefix("PK")(keyed(PK=key)) == entity

    def test_has_a_separator_of_ones_own(self) -> None:
        classify = by_key_prefix("SK", separator="::")
        assert classify(keyed(PK={"S": "a#b"}, SK={"S": "Order::1:2"})) == "Order"

    def test_renames(self) -> None:
        classify = by_key_prefix("PK", aliases={"P": "Product"})
        found = [classify(keyed(PK={"S": text})) for text in ("P#1", "Product#1", "Q#1")]
        assert found == ["Product", "Product", "Q"]

    def test_looks_into_the_images_for_what_is_no_key(self) -> None:
        record = wire_record("MODIFY", old={"GSI": {"S": "A#1"}}, new={"GSI": {"S": "B#1"}})
        assert by_key_prefix("GSI")(made(record)) == "B"
        del record["dynamodb"]["NewImage"]
        assert by_key_prefix("GSI")(made(record)) == "A"
        assert by_key_prefix("Other")(made(record)) is None

    def test_cannot_tell_without_image_and_key(self) -> None:
        with pytest.raises(MissingImageError, match="KEYS_ONLY"):
            by_key_prefix("GSI")(keyed("KEYS_ONLY", PK={"S": "x"}))

    @pytest.mark.parametrize("broken", [None, "text", {"PK": "text"}, {"PK": {"S": 5}}, {}])
    def test_has_none_for_malformed_keys(self, broken: Any) -> None:
        record = wire_record(key="none")
        record["dynamodb"]["Keys"] = broken
        assert by_key_prefix("PK")(made(record)) is None

    @pytest.mark.parametrize("wrong", [("",), ("PK", "")])
    def test_needs_an_attribute_and_a_separator(self, wrong: Any) -> None:
        with pytest.raises(RouteDefinitionError):
            by_key_prefix(wrong[0], separator=wrong[-1])


class TestByAttribute:
    def test_is_the_text_in_the_item(self) -> None:
        classify = by_attribute("_type", aliases={"prod": "Product"})
        assert classify(made(wire_record(new={"_type": {"S": "prod"}}))) == "Product"
        assert classify(made(wire_record("REMOVE", old={"_type": {"S": "Order"}}))) == "Order"
        assert classify(made(wire_record(new={"_type": {"N": "1"}}))) is None
        assert classify(made(wire_record())) is None

    @pytest.mark.parametrize(
        ("preset", "attribute"),
        [
            ("dynamodb-onetable", "_type"),
            ("dynamodb-toolbox", "_et"),
            ("dynamodb-toolbox", "entity"),
            ("electrodb", "__edb_e__"),
            ("pynamodb", "cls"),
            ("typedorm", "__en"),
        ],
    )
    def test_knows_where_mappers_store_it(self, preset: Any, attribute: str) -> None:
        record = made(wire_record(new={attribute: {"S": "Product"}}))
        assert by_attribute(preset=preset)(record) == "Product"

    def test_cannot_tell_without_an_image(self) -> None:
        with pytest.raises(MissingImageError):
            by_attribute("_type")(made(wire_record(view="KEYS_ONLY")))

    @pytest.mark.parametrize(
        "options", [{}, {"name": "a", "preset": "pynamodb"}, {"preset": "django"}]
    )
    def test_takes_a_name_or_a_preset(self, options: Any) -> None:
        with pytest.raises(RouteDefinitionError):
            by_attribute(**options)


@keys(PK="Product#{id}", SK="Product")
@dataclass
class Product:
    id: str


@keys(PK="Product#{product}", SK="Order#{id}")
@dataclass
class Order:
    product: str
    id: str


class TestByKeys:
    def test_is_the_class_whose_templates_all_match(self) -> None:
        classify = by_keys(Product, Order)
        pk = {"S": "Product#1"}
        found = [
            classify(keyed(PK=pk, SK={"S": text})) for text in ("Product", "Order#2", "Review#3")
        ]
        assert found == ["Product", "Order", None]

    def test_gives_a_class_another_name(self) -> None:
        classify = by_keys(Sale=Order)
        assert classify(keyed(PK={"S": "Product#1"}, SK={"S": "Order#2"})) == "Sale"

    def test_needs_classes_with_templates_that_differ(self) -> None:
        @keys(SK="Product", PK="Product#{id}")
        @dataclass
        class Same:
            id: str

        for wrong in ((), (dict,), (Product, Same), (Product, Product)):
            with pytest.raises(RouteDefinitionError):
                by_keys(*wrong)


def test_a_record_that_no_route_could_want_is_not_classified() -> None:
    from ddbstream import StreamRouter

    router = StreamRouter(classify=by_attribute("_type"))
    router.on_insert("Product")(print)
    router.on_modify()(lambda record: None)
    result = router.dispatch(
        [wire_record("REMOVE", view="KEYS_ONLY"), wire_record("MODIFY", view="KEYS_ONLY")]
    )
    assert result == (2, (), None)


def test_records_can_be_classified_by_hand() -> None:
    (record,) = parse([wire_record()])
    assert by_key_prefix("PK")(record) == "Product"
