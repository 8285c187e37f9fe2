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
_READABLE = {
    "body_text_color_subdued": "*neutral_600",
    "body_text_color_subdued_dark": "*neutral_400",
    "block_label_text_color": "*neutral_600",
    "block_label_text_color_dark": "*neutral_300",
    "block_title_text_color": "*neutral_700",
    "block_title_text_color_dark": "*neutral_200",
    "block_info_text_color": "*neutral_600",
    "block_info_text_color_dark": "*neutral_400",
    "input_placeholder_color": "*neutral_600",
    "input_placeholder_color_dark": "*neutral_400",
    "color_accent": "*primary_600",
    "link_text_color": "*primary_700",
    "link_text_color_dark": "*primary_300",
    "button_primary_background_fill": "*primary_700",
    "button_primary_background_fill_dark": "*primary_700",
    "button_primary_background_fill_hover": "*primary_800",
    "button_primary_background_fill_hover_dark": "*primary_800",
}
"""Texts that stand out more than Gradio's own from what is behind them."""


def theme() -> gr.themes.Base:
    """No font and no script comes from another server."""
    readable = gr.themes.Default(
        primary_hue=colors.teal,
        secondary_hue=colors.teal,
        neutral_hue=colors.slate,
        font=FONTS,
        font_mono=MONOSPACED,
    )
    return readable.set(**_READABLE)
