"""From items to the source of classes that read them: what ``ddbstream infer`` prints.

Items are folded into counts as they come (`seen`, `groups`), and none is kept: a table of any size
takes the same memory. When all have been seen, the counts become classes (`classes`), and those
become text (`source`).
"""

from __future__ import annotations
