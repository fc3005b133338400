"""What a route's ``changed=`` can say beyond paths: combinations, and transitions of values.

``changed="price"`` and ``changed=("dims.w", "tags")`` need nothing from here::

    @router.on_modify(Order, changed=transition("status", "PAID", "SHIPPED"))
    @router.on_modify(Product, changed=all_of("price", none_of("currency")))
"""

from __future__ import annotations

from ddbstream._diff.changed import (
    Changed,
    ChangeFilter,
    all_of,
    any_of,
    change_filter,
    none_of,
    transition,
)

__all__ = ["ChangeFilter", "Changed", "all_of", "any_of", "change_filter", "none_of", "transition"]
