"""The specs of classes: dataclasses, typed dicts and named tuples are read here.

Those of pydantic, attrs and msgspec are in ``foreign_classes``. All are recognised by their
attributes, and none is imported.
"""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any, get_args, get_origin

from ddbstream._model.class_specs import EXTRA_ITEMS, MISSING, ClassSpec, FieldSpec, owner_of
from ddbstream._model.hints import annotation_of, own_annotations
from ddbstream._model.markers import FIELD_MARKS

#: The flag of a function with ``**kwargs``: ``inspect.CO_VARKEYWORDS``, without loading inspect.
_VAR_KEYWORDS = 0x08


def class_spec(cls: type[Any], open_classes: tuple[Any, ...]) -> ClassSpec | None:
    """The spec of a class, or None if it is no class with fields; raises ModelDefinitionError."""
    if is_typed_dict(cls):
        return _typed_dict(cls, open_classes)
    if hasattr(cls, "__dataclass_fields__") and not hasattr(cls, "__pydantic_fields__"):
        return _dataclass(cls, open_classes)
    if issubclass(cls, tuple) and hasattr(cls, "_field_defaults"):
        return _named_tuple(cls, open_classes)
    # Late: most programs use no class of these libraries.
    from ddbstream._model.foreign_classes import foreign_class_spec

    return foreign_class_spec(cls, open_classes)


def is_typed_dict(cls: Any) -> bool:
    """Whether it is a ``TypedDict`` class, of ``typing`` or ``typing_extensions``."""
    return isinstance(cls, type) and issubclass(cls, dict) and hasattr(cls, "__total__")


def has_fields(cls: Any) -> bool:
    """Whether it is a class that is planned by its fields; an enum of such values is not."""
    if not isinstance(cls, type) or get_origin(cls) is not None or issubclass(cls, Enum):
        return False
    return is_typed_dict(cls) or any(hasattr(cls, mark) for mark in FIELD_MARKS)


def _dataclass(cls: type, open_classes: tuple[Any, ...]) -> ClassSpec:
    specs = []
    for declared in cls.__dataclass_fields__.values():  # type: ignore[attr-defined]
        # dataclasses has no other mark that distinguishes an InitVar or ClassVar from a field
        kind = declared._field_type.name
        if kind == "_FIELD_CLASSVAR":
            continue
        owner = owner_of(cls, declared.name)
        factory = declared.default_factory
        specs.append(
            FieldSpec(
                name=declared.name,
                annotation=annotation_of(owner, declared.name, declared.type, open_classes),
                argument=declared.name if declared.init else None,
                positional=not declared.kw_only and not _only_by_name(cls, declared.name),
                default=MISSING if declared.default is dataclasses.MISSING else declared.default,
                factory=None if factory is dataclasses.MISSING else factory,
                stored=kind != "_FIELD_INITVAR",
                owner=owner,
            )
        )
    each_stored = all(spec.stored and spec.argument for spec in specs)
    return ClassSpec(specs, direct=each_stored and _only_stores(cls))


def _only_by_name(cls: type, name: str) -> bool:
    """Whether a constructor of the user's own takes a field by keyword only, or in ``**kwargs``."""
    init: Any = next(vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base))
    code = getattr(init, "__code__", None)
    if code is None or code.co_filename == "<string>":
        return False
    names = code.co_varnames
    if name in names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]:
        return True
    return bool(code.co_flags & _VAR_KEYWORDS) and name not in names[: code.co_argcount]


def _only_stores(cls: type) -> bool:
    """Whether a frozen dataclass's constructor is the generated one, and does nothing else."""
    init = cls.__dict__.get("__init__")
    params = cls.__dict__.get("__dataclass_params__")
    new: object = cls.__new__
    return bool(
        params is not None
        and params.frozen
        and params.init
        # dataclasses compiles its methods from text, under this name
        and getattr(getattr(init, "__code__", None), "co_filename", "") == "<string>"
        and not hasattr(cls, "__post_init__")
        and new is object.__new__
        and type(cls).__call__ is type.__call__
    )


def _named_tuple(cls: Any, open_classes: tuple[Any, ...]) -> ClassSpec:
    specs = []
    for name in cls._fields:
        owner = owner_of(cls, name)
        raw = own_annotations(owner).get(name, Any)
        specs.append(
            FieldSpec(
                name=name,
                annotation=annotation_of(owner, name, raw, open_classes),
                argument=name,
                positional=True,
                default=cls._field_defaults.get(name, MISSING),
                owner=owner,
            )
        )
    return ClassSpec(specs)


def _typed_dict(cls: Any, open_classes: tuple[Any, ...]) -> ClassSpec:
    specs = []
    for name, raw in own_annotations(cls).items():
        annotation = annotation_of(cls, name, raw, open_classes)
        required = name in cls.__required_keys__
        # Required[NotRequired[...]] is no type; ReadOnly may stand on either side of them
        while (wrapper := _special_form(annotation)) is not None:
            required = {"Required": True, "NotRequired": False}.get(wrapper, required)
            annotation = get_args(annotation)[0]
        specs.append(
            FieldSpec(
                name=name, annotation=annotation, argument=name, omitted=not required, owner=cls
            )
        )
    extra = _extra_items(cls)
    is_never = getattr(extra, "_name", None) in ("Never", "NoReturn")
    if extra is None or is_never:
        forbid = is_never or getattr(cls, "__closed__", None) is True
        return ClassSpec(specs, build=dict, mapping=True, forbid=forbid)
    annotation = annotation_of(cls, EXTRA_ITEMS, dict[str, extra], open_classes)  # type: ignore[valid-type] # made here
    specs.append(FieldSpec(EXTRA_ITEMS, annotation, argument=EXTRA_ITEMS, owner=cls))
    return ClassSpec(
        specs,
        build=_with_extra_items,
        mapping=True,
        collect=EXTRA_ITEMS,
        reserved=frozenset(spec.name for spec in specs),
    )


def _extra_items(cls: Any) -> Any:
    """The annotation of PEP 728's ``extra_items``, also of a base; None if it has none."""
    while True:
        extra = getattr(cls, EXTRA_ITEMS, None)
        while _special_form(extra) is not None:
            (extra,) = get_args(extra)
        # what a class without one has is shown so
        if extra is not None and not repr(extra).strip("<>").endswith("NoExtraItems"):
            return extra
        bases = [base for base in getattr(cls, "__orig_bases__", ()) if is_typed_dict(base)]
        if not bases:
            return None
        (cls, *_) = bases


def _with_extra_items(arguments: dict[str, Any]) -> dict[str, Any]:
    extra = arguments.pop(EXTRA_ITEMS)
    return {**arguments, **extra}


def _special_form(annotation: Any) -> str | None:
    # typing and typing_extensions have different objects of the same name
    name = getattr(get_origin(annotation), "_name", None)
    return name if name in ("Required", "NotRequired", "ReadOnly") else None
