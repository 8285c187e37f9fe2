"""Who is asking: every request has a visitor with a role; what may only editors do asks here, wherever it is called."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from rspnet_core.errors import NotAllowed

if TYPE_CHECKING:
    import gradio as gr  # seconds to import, which a command that keeps users must not take

Role = Literal["viewer", "editor"]
"""A viewer searches, compares and reads reports; an editor also adds videos and stops a build."""

ROLES: tuple[Role, ...] = get_args(Role)
SCOPE_KEY = "rspnet.visitor"
"""Where the gate leaves the visitor in a request's ASGI scope."""


@dataclass(frozen=True)
class Visitor:
    """One login, or one browser session where there are no logins."""

    key: str
    """32 hex digits that name the visitor's folder; another for each login and browser."""
    role: Role
    name: str | None = None
    """The user's, None where there are no logins."""

    def must_be_editor(self) -> None:
        """Raise NotAllowed for a viewer."""
        if self.role != "editor":
            raise NotAllowed(
                "you may look and search; only an editor may change the library: ask whoever runs this app"
            )


def visitor_of(request: "gr.Request") -> Visitor:
    """Who sent the event. Raises NotAllowed for one that did not come through the gate."""
    visitor = request.request.scope.get(SCOPE_KEY) if request.request is not None else None
    if not isinstance(visitor, Visitor):
        raise NotAllowed("this request has no visitor; it did not come through the app's gate")
    return visitor
