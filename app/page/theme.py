"""How the page looks: system fonts, one colour, the same in light and dark."""

from pathlib import Path

import gradio as gr
from gradio.themes.utils import colors

_HERE = Path(__file__).parent
CSS = (_HERE / "page.css").read_text(encoding="utf-8")
SCRIPT = _HERE / "page.js"
HEAD = '<script src="page.js"></script>'
FONTS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
MONOSPACED = ("ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace")


def theme() -> gr.themes.Base:
    """No font and no script comes from another server."""
    return gr.themes.Default(
        primary_hue=colors.teal,
        secondary_hue=colors.teal,
        neutral_hue=colors.slate,
        font=FONTS,
        font_mono=MONOSPACED,
    )
