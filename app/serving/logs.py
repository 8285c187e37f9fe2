"""What the server says of itself: lines for people, or one JSON object a line with the request's id."""

import logging
import sys
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Names the request that is being served; clients get it as X-Request-ID."""


class _WithRequest(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id"):
            record.request_id = request_id.get()
        return True


def set_up_logs(*, as_json: bool) -> None:
    """Log to stderr.

    As JSON: time, level, logger, message, request_id, and of each request its method, route, status, seconds and user;
    no query, no address, no body.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_WithRequest())
    if as_json:
        fields = "{asctime}{levelname}{name}{message}{request_id}"
        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        handler.setFormatter(JsonFormatter(fields, style="{", rename_fields=names, datefmt="%Y-%m-%dT%H:%M:%S%z"))
        logging.getLogger("rspnet.app.requests").setLevel(logging.INFO)
    else:
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], force=True)
