"""Addresses of the page with parameters that Gradio takes for its own, and answers with an error."""

from urllib.parse import parse_qsl, urlencode

_RENAMED = {"page": "hits"}
"""Links of earlier versions; Gradio's ``page`` names a page of an app that has several."""
_DROPPED = {"deep_link", "session_hash", "upload_id", "write_token", "view", "ui"}


def newer_query(query: str) -> str | None:
    """The query to go to instead of this one; None where it may stay as it is."""
    pairs = parse_qsl(query, keep_blank_values=True)
    kept = [(_RENAMED.get(name, name), value) for name, value in pairs if name not in _DROPPED]
    return None if kept == pairs else urlencode(kept)
