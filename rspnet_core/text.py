"""Names as text: a file name may hold any bytes, a screen and a page may not."""

_JOINERS = "\u200c\u200d"
"""Zero-width characters that belong to ordinary words in several scripts."""


def printable(text: str) -> str:
    r"""``text`` with control, bidirectional and undecodable characters as escapes such as ``\n`` and ``\udcff``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else c.encode("unicode_escape").decode("ascii") for c in text)


def short(label: str, most: int = 28) -> str:
    """``label`` cut to ``most`` characters, the last one an ellipsis where something was cut."""
    return label if len(label) <= most else label[: most - 1] + "…"
