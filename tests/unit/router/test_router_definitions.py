"""What can never work fails where it is declared; what an annotation names is found."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Union

import pytest
from typing_extensions import TypeAliasType

from ddbstream import (
    Change,
    Insert,
    Modify,
    Remove,
    StreamRecord,
    StreamRouter,
    by_key_prefix,
    keys,
)
from ddbstream.exceptions import ModelDefinitionError, RouteDefinitionError
from tests.support.stream_records import wire_record

if TYPE_CHECKING:
    from somewhere import Imagined  # type: ignore[import-not-found]


@keys(PK="Product#{id}")
@dataclass
class Product:
    id: str


@dataclass
class Book(Product):
    pages: int = 0


@dataclass
class Order:
    id: str


@pytest.fixture
def router() -> StreamRouter:
    return StreamRouter(classify=by_key_prefix("PK"))


class TestContradictions:
    @pytest.mark.parametrize(
        ("decorator", "wrong"),
        [
            ("on_insert", Modify),
            ("on_modify", Remove),
            ("on_remove", Insert),
            ("on_change", Insert),
        ],
    )
    def test_between_decorator_and_annotated_record(
        self, router: StreamRouter, decorator: str, wrong: Any
    ) -> None:
        def handle(record: Any) -> None: ...

        handle.__annotations__["record"] = wrong[Product]
        with pytest.raises(RouteDefinitionError, match="handle"):
            getattr(router, decorator)("Product")(handle)

    def test_between_class_and_annotated_model(self, router: StreamRouter) -> None:
        def handle(record: Insert[Order]) -> None: ...

        with pytest.raises(RouteDefinitionError, match=r"Product.*Order"):
            router.on_insert(Product)(handle)

    def test_between_class_and_annotated_dict(self, router: StreamRouter) -> None:
        def handle(record: Insert[dict[str, Any]]) -> None: ...

        with pytest.raises(RouteDefinitionError):
            router.on_insert(Product)(handle)

    @pytest.mark.parametrize(
        "annotation", [Product, dict, dict[str, Any], "Product", "'Product'", int]
    )
    def test_between_a_record_and_an_annotation_that_is_none(
        self, router: StreamRouter, annotation: Any
    ) -> None:
        def handle(record: Any) -> None: ...

        handle.__annotations__["record"] = annotation
        with pytest.raises(RouteDefinitionError, match="record"):
            router.on_insert("Product")(handle)

    def test_between_two_models_in_one_annotation(self, router: StreamRouter) -> None:
        def handle(record: Insert[Order] | Modify[Product]) -> None: ...

        with pytest.raises(RouteDefinitionError):
            router.on_insert("Product")(handle)

    def test_leave_no_route_behind(self, router: StreamRouter) -> None:
        def handle(record: Insert[Order]) -> None:
            raise AssertionError

        with pytest.raises(RouteDefinitionError):
            router.on_insert(Product)(handle)
        assert router.routes() == ()


class TestOptionsThatCannotWork:
    @pytest.mark.parametrize("options", [{"ttl": True}, {"ttl": "yes"}, {"ttl": 1}])
    def test_ttl(self, router: StreamRouter, options: dict[str, Any]) -> None:
        with pytest.raises(RouteDefinitionError, match="ttl"):
            router.on_insert(**options)(print)

    @pytest.mark.parametrize("changed", [[], "", "a..b", "a[x]", 3, [3]])
    def test_changed_that_is_no_path(self, router: StreamRouter, changed: Any) -> None:
        with pytest.raises(RouteDefinitionError, match="changed"):
            router.on_modify(changed=changed)(print)

    def test_changed_that_is_no_field_of_the_model(self, router: StreamRouter) -> None:
        with pytest.raises(RouteDefinitionError, match="prise"):
            router.on_modify(Product, changed="prise")(print)

    def test_where_that_is_no_predicate(self, router: StreamRouter) -> None:
        async def later(record: Any) -> bool:
            return True

        for where in ("price > 5", later):
            with pytest.raises(RouteDefinitionError, match="where"):
                router.on_insert(where=where)(print)

    @pytest.mark.parametrize("target", ["", 3, Ellipsis, ["Product"]])
    def test_entity(self, router: StreamRouter, target: Any) -> None:
        with pytest.raises(RouteDefinitionError):
            router.on_insert(target)(print)

    def test_a_class_that_is_no_model(self, router: StreamRouter) -> None:
        class Nothing:
            def __init__(self, a: Any) -> None: ...

        with pytest.raises(ModelDefinitionError):
            router.on_insert(Nothing)(print)

    def test_router_options(self) -> None:
        with pytest.raises(RouteDefinitionError):
            StreamRouter(unmatched="explode")  # type: ignore[arg-type]
        with pytest.raises(RouteDefinitionError):
            StreamRouter(classify="PK")  # type: ignore[arg-type]


class TestHandlersThatCannotWork:
    def test_take_no_record_or_too_much(self, router: StreamRouter) -> None:
        for handler in (lambda: None, lambda a, b, c: None, lambda a, *, b: None, 3, "handle"):
            with pytest.raises(RouteDefinitionError):
                router.on_insert()(handler)

    def test_are_generators(self, router: StreamRouter) -> None:
        def handle(record: Any) -> Any:
            yield record

        async def later(record: Any) -> Any:
            yield record

        for handler in (handle, later):
            with pytest.raises(RouteDefinitionError, match="generator"):
                router.on_insert()(handler)

    def test_are_methods_without_their_object(self, router: StreamRouter) -> None:
        with pytest.raises(RouteDefinitionError, match="method"):

            class Shop:
                @router.on_insert()
                def added(self, record: Any) -> None: ...

    def test_have_an_annotation_that_names_nothing(self, router: StreamRouter) -> None:
        def handle(record: Insert[Imagined]) -> None: ...

        with pytest.raises(RouteDefinitionError, match="Imagined"):
            router.on_insert("Product")(handle)


class TestIncludingThatCannotWork:
    def test_itself(self, router: StreamRouter) -> None:
        with pytest.raises(RouteDefinitionError):
            router.include(router)

    def test_a_circle(self, router: StreamRouter) -> None:
        inner = StreamRouter()
        router.include(inner)
        with pytest.raises(RouteDefinitionError):
            inner.include(router)

    def test_twice(self, router: StreamRouter) -> None:
        inner, middle = StreamRouter(), StreamRouter()
        middle.include(inner)
        router.include(inner)
        for again in (inner, middle):
            with pytest.raises(RouteDefinitionError):
                router.include(again)

    def test_what_is_no_router(self, router: StreamRouter) -> None:
        with pytest.raises(RouteDefinitionError):
            router.include(print)  # type: ignore[arg-type]

    def test_binding_a_class_to_two_names(self, router: StreamRouter) -> None:
        router.bind("Product", Product)
        with pytest.raises(RouteDefinitionError):
            router.bind("Article", Product)


class TestAnAnnotationIsFound:
    """Each case dispatches: the model shows in what the handler reads."""

    def read(self, router: StreamRouter, seen: list[Any]) -> type[Any]:
        result = router.dispatch([wire_record()])
        assert result.failures == ()
        (record,) = seen
        return type(record.new)

    def test_as_a_class_defined_in_the_function_around(self, router: StreamRouter) -> None:
        @keys(PK="Product#{id}")
        @dataclass
        class Local:
            id: str

        seen: list[Any] = []

        @router.on_insert("Product")
        def handle(record: Insert[Local]) -> None:
            seen.append(record)

        assert self.read(router, seen) is Local

    def test_as_a_class_in_the_handlers_closure(self, router: StreamRouter) -> None:
        def make() -> tuple[Callable[[Any], None], type[Any]]:
            @keys(PK="Product#{id}")
            @dataclass
            class Hidden:
                id: str

            def handle(record: Insert[Hidden]) -> None:
                seen.append((record, Hidden)[0])

            return handle, Hidden

        seen: list[Any] = []
        handle, hidden = make()
        router.on_insert("Product")(handle)
        assert self.read(router, seen) is hidden

    def test_under_a_bare_decorator(self, router: StreamRouter) -> None:
        @keys(PK="Product#{id}")
        @dataclass
        class Local:
            id: str

        seen: list[Any] = []

        @router.on_insert
        def handle(record: Insert[Local]) -> None:
            seen.append(record)

        assert self.read(router, seen) is Local

    def test_in_quotes_inside(self, router: StreamRouter) -> None:
        seen: list[Any] = []

        def handle(record: Any) -> None:
            seen.append(record)

        handle.__annotations__["record"] = Insert["Product"]
        router.on_insert("Product")(handle)
        assert self.read(router, seen) is Product

    @pytest.mark.parametrize(
        "annotation",
        [
            Change[Product],
            StreamRecord[Product],
            Insert[Product] | Modify[Product],
            Annotated[Insert[Product], "said"],
            "'Insert[Product]'",  # quotes, in a module whose annotations are text anyway
            Union["Insert[Product]", Modify[Product]],
            TypeAliasType("ProductInsert", Insert[Product]),
        ],
    )
    def test_in_every_wider_form(self, router: StreamRouter, annotation: Any) -> None:
        seen: list[Any] = []

        def handle(record: Any) -> None:
            seen.append(record)

        handle.__annotations__["record"] = annotation
        router.on_insert("Product")(handle)
        assert self.read(router, seen) is Product

    @pytest.mark.parametrize("annotation", [Any, Insert, Insert[Any], Insert[dict], "object"])
    def test_as_saying_nothing_where_it_leaves_the_model_open(
        self, router: StreamRouter, annotation: Any
    ) -> None:
        seen: list[Any] = []

        def handle(record: Any) -> None:
            seen.append(record)

        handle.__annotations__["record"] = annotation
        router.on_insert("Product")(handle)
        assert self.read(router, seen) is dict

    def test_of_a_base_class_to_take_the_subclass_given(self, router: StreamRouter) -> None:
        seen: list[Any] = []

        def handle(record: Insert[Product]) -> None:
            seen.append(record)

        router.bind("Product", Book)
        router.on_insert(Book)(handle)
        assert self.read(router, seen) is Book

    def test_not_to_matter_where_the_class_is_given(self, router: StreamRouter) -> None:
        seen: list[Any] = []

        def handle(record: Any, unknown: Imagined = None) -> Imagined:
            seen.append(record)

        router.on_insert(Product)(handle)
        assert self.read(router, seen) is Product


class TestEveryKindOfCallable:
    def test_is_a_handler(self, router: StreamRouter) -> None:
        seen: list[Any] = []

        class Shop:
            def added(self, record: Insert[Product], context: Any) -> None:
                seen.append(("method", context))

            def __call__(self, record: Insert[Product]) -> None:
                seen.append(("object", record.new))

        def logged(function: Any) -> Any:
            @functools.wraps(function)
            def call(*args: Any) -> Any:
                return function(*args)

            return call

        def wrapped(record: Insert[Product], context: Any) -> None:
            seen.append(("wrapped", record.new, context))

        def partial(how: str, record: Insert[Product]) -> None:
            seen.append((how, "partial"))

        for handler in (
            Shop().added,
            Shop(),
            logged(wrapped),
            functools.partial(partial, "by"),
            seen.append,
        ):
            router.on_insert(Product)(handler)
        result = router.dispatch([wire_record()], context="c")
        assert result.failures == ()
        product = Product("1")
        assert seen[:4] == [
            ("method", "c"),
            ("object", product),
            ("wrapped", product, "c"),
            ("by", "partial"),
        ]
        assert seen[4].new == product
