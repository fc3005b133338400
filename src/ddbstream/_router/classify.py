"""Classifiers: from a record to its entity, which is the name that routes are registered under.

A classifier is a function from a record to a name, or to ``None`` for "no entity". It reads the
wire form and decodes nothing: it runs once for every record, also for those that no route wants.

A classifier that cannot know raises, for its record, rather than answer ``None``: an unclassified
record is ignored by most routers, and a stream that captures too little would lose everything in
silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_origin

from ddbstream._model.markers import KEYS
from ddbstream._router.awaiting import at_once
from ddbstream._values.callables import check_function
from ddbstream._values.json_values import Unread
from ddbstream.exceptions import MissingImageError, RecordError, RouteDefinitionError

if TYPE_CHECKING:
    from ddbstream._model.key_templates import KeyTemplate
    from ddbstream._records import StreamRecord

__all__ = ["Classifier", "by_attribute", "by_key_prefix", "by_keys", "by_table_name"]

Classifier = Callable[["StreamRecord[Any]"], "str | None"]
"""What ``StreamRouter(classify=...)`` takes."""

AttributeTests = dict[str, list[Any]]

_TESTS: Final = "ddbstream_tests"
_CLASSES: Final = "ddbstream_classes"
_ALIASES: Final = "ddbstream_aliases"

# A function reads from few streams; a service that reads thousands should not grow without end.
_REMEMBERED_ARNS: Final = 1024

Preset = Literal["dynamodb-onetable", "dynamodb-toolbox", "electrodb", "pynamodb", "typedorm"]

# Where object mappers store an item's type, from each project's documentation:
# sensedeep/dynamodb-onetable `typeField`, dynamodb-toolbox v1 and v2 `entityAttributeName`,
# tywalch/electrodb `__edb_e__`, pynamodb `DiscriminatorAttribute` as its guide spells it,
# whimzyLive/typedorm `__en`.
_PRESETS: Final[Mapping[str, tuple[str, ...]]] = {
    "dynamodb-onetable": ("_type",),
    "dynamodb-toolbox": ("_et", "entity"),
    "electrodb": ("__edb_e__",),
    "pynamodb": ("cls",),
    "typedorm": ("__en",),
}


def by_table_name(*, aliases: Mapping[str, str] | None = None) -> Classifier:
    """The entity is the table's name. The router's default.

    Args:
        aliases: Table name to entity, for names that differ between stages or are made up by a
            deployment tool: ``{os.environ["PRODUCT_TABLE"]: "Product"}``. Others stay as they are.

    Raises:
        RecordError: For a record that neither says its table nor came with a ``stream_arn=``, as
            those of ``GetRecords`` do not.
    """
    renamed = dict(aliases or {})
    known: dict[object, str | None] = {}

    def classify(record: StreamRecord[Any]) -> str | None:
        arn = record._entry.get("eventSourceARN") or record._origin.stream_arn
        try:
            return known[arn]
        except (KeyError, TypeError):
            name = record.table_name
        if name is None and not arn:
            raise RecordError(
                "the record does not say its table, and no stream_arn= was given",
                path="eventSourceARN",
                event_id=record.event_id,
                sequence_number=record.sequence_number,
            )
        entity = None if name is None else renamed.get(name, name)
        # A record that names its table itself (Kinesis form) has no ARN to remember it by.
        if (
            isinstance(arn, str)
            and "tableName" not in record._entry
            and len(known) < _REMEMBERED_ARNS
        ):
            known[arn] = entity
        return entity

    _say(classify, _ALIASES, renamed)
    return classify


def by_key_prefix(
    attribute: str, *, separator: str = "#", aliases: Mapping[str, str] | None = None
) -> Classifier:
    """The entity is what stands before a key's first separator: ``Product#42``, ``Product``.

    A value without the separator, with nothing before it, or that is no text has no entity.

    Args:
        attribute: The key attribute's name. One that is no key of the table, such as an index's, is
            read from the images.
        separator: What ends the prefix.
        aliases: Prefix to entity: ``{"PROD": "Product"}``. Other prefixes stay as they are.

    Raises:
        RouteDefinitionError: The attribute or the separator is empty.
    """
    if not attribute or not separator:
        raise RouteDefinitionError("by_key_prefix() needs an attribute and a separator")
    renamed = dict(aliases or {})

    def classify(record: StreamRecord[Any]) -> str | None:
        change = record._change
        try:
            text = change["Keys"][attribute]["S"] if type(change) is dict else None
        except (KeyError, TypeError):
            text = None
        if text is None:
            text = _text(record, attribute)
        if not isinstance(text, str):
            return None
        prefix, found, _ = text.partition(separator)
        if renamed:
            prefix = renamed.get(prefix, prefix)
        return prefix if found and prefix else None

    def tests(entity: str) -> list[AttributeTests]:
        return [{attribute: [{"prefix": one + separator} for one in _stored(entity, renamed)]}]

    return _say(classify, _TESTS, Tests(tests, are_keys=True))


def by_attribute(
    name: str | None = None,
    *,
    preset: Preset | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Classifier:
    """The entity is the text in one attribute of the item: ``_type``.

    The keys are asked first, then the new image, then the old one. An item without the attribute
    has no entity.

    Args:
        name: The attribute.
        preset: In its place, the mapper that writes the items: ``"dynamodb-onetable"``,
            ``"dynamodb-toolbox"``, ``"electrodb"``, ``"pynamodb"`` or ``"typedorm"``.
        aliases: Stored text to entity: ``{"product": "Product"}``. Others stay as they are.

    Raises:
        RouteDefinitionError: Not exactly one of name and preset, or an unknown preset.
        MissingImageError: For a record without any image that does not have the attribute as a key.
    """
    if (name is None) == (preset is None):
        raise RouteDefinitionError("by_attribute() takes an attribute's name, or a preset")
    if preset is not None and preset not in _PRESETS:
        raise RouteDefinitionError(f"no such preset; there are {', '.join(sorted(_PRESETS))}")
    names = _PRESETS[preset] if preset is not None else (name or "",)
    renamed = dict(aliases or {})

    def classify(record: StreamRecord[Any]) -> str | None:
        for attribute in names:
            text = _text(record, attribute)
            if type(text) is str:
                return renamed.get(text, text)
        return None

    def tests(entity: str) -> list[AttributeTests]:
        return [{attribute: list(_stored(entity, renamed))} for attribute in names]

    return _say(classify, _TESTS, Tests(tests, are_keys=False))


def by_keys(*models: type[Any], **named: type[Any]) -> Classifier:
    """The entity is the name of the first class whose ``@keys`` templates match the record.

    Args:
        models: Classes decorated with ``ddbstream.keys``; each class's name is its entity, or the
            name that the router's ``bind`` gives it.
        named: The same under another entity name: ``by_keys(Product=ProductV2)``.

    Raises:
        RouteDefinitionError: No class, one without ``@keys``, or two with the same templates, of
            which the second would never be found.
    """
    classes = [(model.__name__, model) for model in models]
    return _by_classes(classes, list(named.items()))


def with_bindings(classify: Classifier, entities: Mapping[Any, str]) -> Classifier:
    """The classifier with the names that ``bind`` gave to classes; itself if it has none of these.

    Args:
        classify: Any classifier; those of `by_keys` know classes.
        entities: Class to entity.
    """
    classes, named = _said_by(classify, _CLASSES) or ((), ())
    if not any(model in entities for _, model in classes):
        return classify
    return _by_classes([(entities.get(model, name), model) for name, model in classes], named)


def _by_classes(
    classes: Sequence[tuple[str, type[Any]]], named: Sequence[tuple[str, type[Any]]]
) -> Classifier:
    """`by_keys` of classes that go by their own name, and of those that were given one."""
    entities = [*classes, *named]
    if not entities:
        raise RouteDefinitionError("by_keys() needs at least one class")
    seen: dict[tuple[tuple[str, str], ...], str] = {}
    candidates: list[tuple[str, tuple[tuple[str, KeyTemplate], ...]]] = []
    for entity, model in entities:
        templates: Mapping[str, KeyTemplate] = getattr(model, KEYS, {})
        if not templates:
            raise RouteDefinitionError(
                f"{model.__qualname__} has no @keys(...) to recognise its items by", model=model
            )
        shape = tuple(sorted((name, template.template) for name, template in templates.items()))
        if shape in seen:
            raise RouteDefinitionError(
                f"{entity} and {seen[shape]} have the same @keys(...)", model=model
            )
        seen[shape] = entity
        candidates.append((entity, tuple(templates.items())))

    def classify(record: StreamRecord[Any]) -> str | None:
        for entity, templates in candidates:
            for name, template in templates:
                text = _text(record, name)
                if type(text) is not str or template.match(text) is None:
                    break
            else:
                return entity
        return None

    def tests(entity: str) -> list[AttributeTests]:
        return [
            {name: [_template_test(template)] for name, template in templates}
            for candidate, templates in candidates
            if candidate == entity
        ]

    _say(classify, _CLASSES, (classes, named))
    return _say(classify, _TESTS, Tests(tests, are_keys=True))


def check_classifier(classify: object) -> None:
    """Raise RouteDefinitionError unless it is a plain function of the record."""
    check_function(classify, "classify=", RouteDefinitionError, arguments=1)


def entity_named(answer: object) -> str | None:
    """A classifier's answer, which is a name or None; raises RouteDefinitionError for another."""
    if answer is None or isinstance(answer, str):
        return answer
    at_once(answer, "classify=")
    raise RouteDefinitionError(
        f"classify= names an entity as text, or None, and gave {type(answer).__name__}"
    )


def why_never(classify: Classifier, entity: str, model: Any) -> str | None:
    """Why no record can have an entity, in words; None if one can, for all that is known.

    Args:
        classify: Any classifier; ours say what they know.
        entity: The name that a route is for.
        model: The class that the route reads, whose ``@keys`` say what its items look like.
    """
    aliases, tests = _said_by(classify, _ALIASES), tests_of(classify)
    if aliases is not None and not _stored(entity, aliases):
        return f"the classifier's aliases= give no table the name {entity!r}"
    if tests is None:
        return None
    ways = [way for way in tests.of(entity) if all(way.values())]
    if not ways:
        known = sorted({name for part in _said_by(classify, _CLASSES) or () for name, _ in part})
        if not known:
            return f"the classifier's aliases= give nothing the name {entity!r}"
        return f"the classifier names {', '.join(known)} alone, and never {entity!r}"
    templates: Mapping[str, KeyTemplate] = getattr(get_origin(model) or model, KEYS, {})
    clash: list[str] = []
    for way in ways:
        clash = [name for name in way if not _can_have(templates.get(name), way[name])]
        if not clash:
            return None
    name = clash[0]
    return (
        f"items of {model.__qualname__} have {name}={templates[name].template!r}, which the "
        f"classifier never calls {entity!r}: classify=by_keys({model.__qualname__}, ...) tells "
        "classes by their whole keys; bind() gives a class the name of an entity, before its routes"
    )


def _can_have(template: KeyTemplate | None, tests: Sequence[Any]) -> bool:
    """Whether a key of a template can pass one of the tests on it."""
    return template is None or any(_passes(template, test) for test in tests)


def _passes(template: KeyTemplate, test: Any) -> bool:
    first, last = template.literals[0], template.literals[-1]
    if isinstance(test, str):
        return template.match(test) is not None
    ((operator, text),) = test.items()
    if operator == "prefix":
        return first.startswith(text) or (bool(template.fields) and text.startswith(first))
    if operator == "suffix":
        return last.endswith(text) or (bool(template.fields) and text.endswith(last))
    return True


class Tests(NamedTuple):
    """What a classifier can say of the items of an entity.

    Attributes:
        of: From an entity to alternatives, each a map from attributes to filter tests on their
            text, of which one has to hold.
        are_keys: Whether the attributes should be keys of the table.
    """

    of: Callable[[str], list[AttributeTests]]
    are_keys: bool


def tests_of(classify: Classifier) -> Tests | None:
    """What a classifier can say; None for one that can say nothing."""
    found: Tests | None = _said_by(classify, _TESTS)
    return found


def _say(classify: Classifier, name: str, what: object) -> Classifier:
    """The same classifier, which now says something of itself."""
    classify.__dict__[name] = (classify, what)
    return classify


def _said_by(classify: Classifier, name: str) -> Any:
    """What a classifier says of itself; a decorator around it has a copy, which may be wrong."""
    by, what = getattr(classify, "__dict__", {}).get(name, (None, None))
    return what if by is classify else None


def _stored(entity: str, renamed: Mapping[str, str]) -> list[str]:
    """The texts in the table that stand for an entity."""
    texts = {text for text, alias in renamed.items() if alias == entity}
    if renamed.get(entity, entity) == entity:
        texts.add(entity)
    return sorted(texts)


def _template_test(template: KeyTemplate) -> object:
    """The narrowest one test that every key of a template passes."""
    if not template.fields:
        return template.literals[0]
    if template.literals[0]:
        return {"prefix": template.literals[0]}
    if template.literals[-1]:
        return {"suffix": template.literals[-1]}
    return {"exists": True}


def _text(record: StreamRecord[Any], name: str) -> object:
    """The text of an attribute, from the keys or an image; None if the item has no such text.

    Raises:
        MissingImageError: The attribute is no key, and the record has no image.
    """
    has_image, change = False, record._change
    if type(change) is not dict and isinstance(change, Unread):
        text = change.text(name)
        if text is not None:
            return text
    for part in ("Keys", "NewImage", "OldImage"):
        item = change.view(part) if isinstance(change, Unread) else change.get(part)
        if not isinstance(item, Mapping):
            continue
        value = item.get(name)
        if isinstance(value, Mapping):
            return value.get("S")
        has_image = has_image or part != "Keys"
    if has_image:
        return None
    raise MissingImageError(
        f"{name} is no key, and no image is captured to read it from: the stream's view type is "
        f"{record.stream_view_type or 'not known'}",
        path=name,
        event_id=record.event_id,
        sequence_number=record.sequence_number,
    )
