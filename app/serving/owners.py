"""Whose a page's session, an event or an upload is: clients choose the names, and only their visitor may use them."""

from collections import OrderedDict
from typing import Literal

Kind = Literal["session", "event", "upload"]
_MOST_KEPT = 100_000


class Owners:
    """Names with the visitors they belong to, the longest unused forgotten first; for one event loop."""

    def __init__(self) -> None:
        self._owners: OrderedDict[tuple[Kind, str], str] = OrderedDict()

    def give(self, kind: Kind, name: str, visitor_key: str) -> None:
        """The name is this visitor's from now on."""
        self._owners[kind, name] = visitor_key
        while len(self._owners) > _MOST_KEPT:
            self._owners.popitem(last=False)

    def has(self, kind: Kind, name: str, visitor_key: str) -> bool:
        """Whether it is this visitor's."""
        return self._owners.get((kind, name)) == visitor_key

    def claim(self, kind: Kind, name: str, visitor_key: str) -> bool:
        """Give the name to the visitor unless it is another's; says whether it is this visitor's now."""
        if (kind, name) not in self._owners:
            self.give(kind, name, visitor_key)
        self._owners.move_to_end((kind, name))
        return self.has(kind, name, visitor_key)
