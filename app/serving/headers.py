"""Headers of every answer: what a browser may load, frame and tell others."""

import secrets

from starlette.datastructures import MutableHeaders

_ELSEWHERE = "default-src 'none'; frame-ancestors {ancestors}"
"""For answers that are no page: pictures, films, documents."""
_PAGE = "; ".join(
    (
        "default-src 'none'",
        # Gradio compiles the templates and scripts of its HTML components in the browser, hence unsafe-eval. No script
        # stands in markup: the page's own carry a nonce.
        "script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors {ancestors}",
    )
)


def set_headers(headers: MutableHeaders, *, ancestors: str, request_id: str) -> None:
    """Add what an answer lacks. ``ancestors`` are sites that may show the page in a frame, ``'none'`` for no site."""
    headers.setdefault("Content-Security-Policy", _ELSEWHERE.format(ancestors=ancestors))
    if ancestors == "'none'":
        headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "geolocation=(), payment=(), usb=()")
    headers.setdefault("Cache-Control", "private, no-store")
    headers["X-Request-ID"] = request_id


def page_policy(ancestors: str) -> tuple[str, str]:
    """The Content-Security-Policy of one answer with the page, and the nonce that its scripts carry."""
    nonce = secrets.token_urlsafe(16)
    return _PAGE.format(nonce=nonce, ancestors=ancestors), nonce


def with_nonce(page: bytes, nonce: str) -> bytes:
    """The page with the nonce on each of its script tags. Data inside of the page has no ``<``: Gradio escapes it."""
    return page.replace(b"<script", f'<script nonce="{nonce}"'.encode())
