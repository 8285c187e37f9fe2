"""Headers of every answer: what a browser may load, frame and tell others."""

import secrets

from starlette.datastructures import MutableHeaders

_ELSEWHERE = "default-src 'none'; frame-ancestors {ancestors}"
"""For answers that are no page: pictures, films, documents."""
_SCRIPT = (
    "default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'; connect-src 'self' blob:; "
    "frame-ancestors {ancestors}"
)
"""For scripts and what stands beside them: a script that runs as a worker obeys its own answer's policy. The one that
trims videos loads FFmpeg's core as a blob."""
_KEPT = "private, max-age=31536000, immutable"
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


def set_headers(
    headers: MutableHeaders, *, ancestors: str, request_id: str, is_script: bool, never_changes: bool
) -> None:
    """Add what an answer lacks.

    Args:
        headers: of the answer; what stands in them stays.
        ancestors: sites that may show the page in a frame, as Content-Security-Policy writes them; or ``'none'``.
        request_id: names the request in the log.
        is_script: whether a script of the page's is answered, or what stands beside one.
        never_changes: whether the address says the content too, so that a browser may keep the answer.
    """
    headers.setdefault("Content-Security-Policy", (_SCRIPT if is_script else _ELSEWHERE).format(ancestors=ancestors))
    if ancestors == "'none'":
        headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "geolocation=(), payment=(), usb=()")
    headers.setdefault("Cache-Control", _KEPT if never_changes else "private, no-store")
    headers["X-Request-ID"] = request_id


def page_policy(ancestors: str) -> tuple[str, str]:
    """The Content-Security-Policy of one answer with the page, and the nonce that its scripts carry."""
    nonce = secrets.token_urlsafe(16)
    return _PAGE.format(nonce=nonce, ancestors=ancestors), nonce


def with_nonce(page: bytes, nonce: str) -> bytes:
    """The page with the nonce on each of its script tags. Data inside of the page has no ``<``: Gradio escapes it."""
    return page.replace(b"<script", f'<script nonce="{nonce}"'.encode())
