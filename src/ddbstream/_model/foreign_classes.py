"""pydantic, attrs and msgspec classes: recognised by their attributes, and never imported.

Where a library's constant is needed, ``sys.modules`` has the library: the class came from it.
"""

from __future__ import annotations

import re
import sys
from linecache import getline
from typing import TYPE_CHECKING, Annotated, Any

from ddbstream._model.class_specs import MISSING, ClassSpec, FieldSpec, Library, owner_of
from ddbstream._model.field_paths import places
from ddbstream._model.hints import annotation_of, own_annotations
from ddbstream._model.nodes import raised
from ddbstream._values.tags import path_of
from ddbstream.exceptions import DecodeError, ModelDefinitionError

if TYPE_CHECKING:
    from ddbstream._model.nodes import ReadErrors
    from ddbstream._model.objects import ObjectNode
    from ddbstream._values.paths import Parts

#: How the constructor that attrs generates calls a field's validator or converter.
_ATTRS_CALL = re.compile(r"__attr_(?:validator|converter)_(\w+)\(")

#: Where a pydantic model with ``extra="allow"`` keeps the attributes of no field.
_EXTRA = "__pydantic_extra__"


def foreign_class_spec(cls: Any, open_classes: tuple[Any, ...]) -> ClassSpec | None:
    """The spec of another library's class, or None if it is from none of these libraries."""
    if is_pydantic(cls):
        return _pydantic(cls, open_classes)
    if hasattr(cls, "__attrs_attrs__"):
        return _attrs(cls, open_classes)
    if hasattr(cls, "__struct_fields__") and hasattr(cls, "__struct_config__"):
        return _msgspec(cls, open_classes)
    return None


# --- pydantic -----------------------------------------------------------------------------------


def is_pydantic(cls: Any) -> bool:
    """Whether it is a pydantic model or dataclass, of pydantic 2.10 or newer."""
    return hasattr(cls, "__pydantic_fields__") and hasattr(cls, "__pydantic_validator__")


def _pydantic(cls: Any, open_classes: tuple[Any, ...]) -> ClassSpec:
    if not cls.__pydantic_complete__:
        rebuild = getattr(cls, "model_rebuild", None)
        if rebuild is not None:
            rebuild(raise_errors=False)
    is_model = hasattr(cls, "model_validate")
    config: dict[str, Any] = getattr(cls, "model_config" if is_model else "__pydantic_config__", {})
    specs = [
        _pydantic_field(cls, name, info, open_classes, is_model=is_model)
        for name, info in cls.__pydantic_fields__.items()
    ]
    extra = config.get("extra")
    collect = None
    if is_model and extra == "allow":
        collect = _EXTRA
        specs.append(_extra_field(cls, open_classes))
    return ClassSpec(
        specs,
        build=_pydantic_builder(cls) if is_model else None,
        forbid=extra == "forbid",
        collect=collect,
        reserved=frozenset(spec.name for spec in specs) if collect else frozenset(),
        library=_library(enum_values=bool(config.get("use_enum_values"))),
        refused=_pydantic_refused,
    )


def _extra_field(cls: Any, open_classes: tuple[Any, ...]) -> FieldSpec:
    """The field of the attributes of no field, with the annotation that the class gives it."""
    owner = owner_of(cls, _EXTRA)
    raw = own_annotations(owner).get(_EXTRA)
    kept: Any = dict[str, Any]
    if raw is not None and not owner.__module__.startswith("pydantic."):
        kept = annotation_of(owner, _EXTRA, raw, open_classes)
    return FieldSpec(_EXTRA, kept, argument=_EXTRA, owner=owner)


def _library(*, enum_values: bool) -> Library:
    # Late: only pydantic's classes need it.
    from ddbstream._model.pydantic_kinds import pydantic_kind, refuse_encodings

    return Library(pydantic_kind, refuse_encodings, enum_values)


def _pydantic_field(
    cls: Any, name: str, info: Any, open_classes: tuple[Any, ...], *, is_model: bool
) -> FieldSpec:
    marks = tuple(info.metadata)
    # pydantic has evaluated it, but on 3.10 not the strings in list["Node"]
    hint = annotation_of(cls, name, info.annotation, open_classes)
    parts = (hint, *marks)
    annotation = Annotated[parts] if marks else hint
    argument = name if is_model else _argument(name, info.validation_alias)
    # a factory that looks at the other fields can be called by pydantic only
    factory = None if info.default_factory_takes_validated_data else info.default_factory
    has_default = info.default_factory is None and not info.is_required()
    return FieldSpec(
        name=name,
        annotation=annotation,
        default=info.default if has_default else MISSING,
        factory=factory,
        argument=argument if info.init is not False else None,
        omitted=not info.is_required(),  # pydantic copies a mutable default
        stored_name=info.serialization_alias or info.alias,
        stored=info.init_var is not True,
        owner=cls,
    )


def _argument(name: str, alias: Any) -> str:
    """What the constructor of a pydantic dataclass calls a field."""
    # of an AliasChoices any will do
    for choice in getattr(alias, "choices", (alias,)):
        if isinstance(choice, str):
            return choice
    if alias is None:
        return name
    raise ModelDefinitionError("an AliasPath is no argument's name", path=name)


def _pydantic_builder(cls: Any) -> Any:
    version = tuple(int(part) for part in sys.modules["pydantic"].VERSION.split(".")[:2])
    by_name = {"by_name": True, "by_alias": False} if version >= (2, 11) else {}

    def build(arguments: dict[str, Any]) -> Any:
        extra = arguments.pop(_EXTRA, None)
        return cls.model_validate({**extra, **arguments} if extra else arguments, **by_name)

    return build


def _pydantic_refused(error: Exception, node: ObjectNode, path: Parts, errors: ReadErrors) -> bool:
    """Note a ValidationError's errors: places and rules, since its text prints the values."""
    if type(error).__name__ != "ValidationError" or not hasattr(error, "errors"):
        return False
    report: Any = error
    for single in report.errors(include_url=False, include_context=False, include_input=False):
        place = (*path, *_pydantic_place(single["loc"], node))
        errors.note(place, f"a value that {node.name} accepts", str(single["type"]))
    return True


def _pydantic_place(location: tuple[Any, ...], node: ObjectNode) -> Parts:
    """What an item has at the place of an error, as far as that is in the item.

    pydantic has keys as they are in Python, positions in sets, and the parts of unions by name.
    """
    field = next((f for f in node.fields if location and f.argument == location[0]), None)
    if field is None:
        return location[:1]
    found: Parts = (field.attribute,)
    parts: Parts = (field.name,)
    for part in location[1:]:
        if part == "[key]":
            break
        for step in (part, str(part)):
            meant = places(node, (*parts, step), strict=True)
            if meant:
                break
        else:
            break
        parts, found = (*parts, step), meant[0][0]
    return found


# --- attrs --------------------------------------------------------------------------------------


def _attrs(cls: Any, open_classes: tuple[Any, ...]) -> ClassSpec:
    nothing = sys.modules["attr"].NOTHING
    specs = []
    for declared in cls.__attrs_attrs__:
        if declared.type is None:
            raise ModelDefinitionError("it has no annotation", path=declared.name)
        owner = owner_of(cls, declared.name)
        default, factory = declared.default, None
        if type(default).__name__ == "Factory":
            default, factory = MISSING, (None if default.takes_self else default.factory)
        specs.append(
            FieldSpec(
                name=declared.name,
                annotation=annotation_of(owner, declared.name, declared.type, open_classes),
                argument=declared.alias if declared.init else None,
                default=MISSING if default is nothing else default,
                factory=factory,
                # a factory that looks at the other fields can be called by the constructor only
                omitted=type(declared.default).__name__ == "Factory" and factory is None,
                owner=owner,
            )
        )
    return ClassSpec(specs, refused=_attrs_refused)


def _attrs_refused(error: Exception, node: ObjectNode, path: Parts, errors: ReadErrors) -> bool:
    """Note what a validator or converter raised, at its field: the constructor's line names it."""
    place = error.__traceback__
    while place is not None:
        code = place.tb_frame.f_code
        if code.co_filename.startswith("<attrs generated") and code.co_name == "__init__":
            match = _ATTRS_CALL.search(getline(code.co_filename, place.tb_lineno))
            found = [f for f in node.fields if match and f.name == match[1]]
            for f in found:
                problem = f"{node.name} refused the value with {raised(error)}"
                errors.add(DecodeError(problem, path=path_of((*path, f.attribute))))
            return bool(found)
        place = place.tb_next
    return False


# --- msgspec ------------------------------------------------------------------------------------


def _msgspec(cls: Any, open_classes: tuple[Any, ...]) -> ClassSpec:
    no_default = sys.modules["msgspec"].NODEFAULT
    config = cls.__struct_config__
    names: tuple[str, ...] = cls.__struct_fields__
    # the defaults are those of the last fields
    defaults = (no_default,) * (len(names) - len(cls.__struct_defaults__)) + cls.__struct_defaults__
    specs = []
    for name, stored_name, default in zip(
        names, cls.__struct_encode_fields__, defaults, strict=True
    ):
        owner = owner_of(cls, name)
        raw = own_annotations(owner)[name]
        factory = default.factory if type(default).__name__ == "Factory" else None
        specs.append(
            FieldSpec(
                name=name,
                annotation=annotation_of(owner, name, raw, open_classes),
                argument=name,
                default=MISSING if default is no_default or factory else default,
                factory=factory,
                stored_name=stored_name if stored_name != name else None,
                owner=owner,
            )
        )
    constants = {}
    if config.tag is not None:
        tag = config.tag
        is_text = isinstance(tag, str)
        constants[config.tag_field] = (
            {"S": str.__str__(tag)} if is_text else {"N": int.__repr__(tag)}
        )
    return ClassSpec(specs, forbid=config.forbid_unknown_fields, constants=constants)
