"""Parts of pages that Gradio does not have: each is NAME.html, NAME.css and NAME.js, drawn from one JSON value.

The value goes to the browser as data and is shown by ``textContent`` alone, so no name of a file can become markup.
"""

import json
from importlib.resources import files
from typing import Any

import gradio as gr


def component(name: str, **settings: Any) -> gr.HTML:
    """The part ``name`` as a Gradio component; ``settings`` go to ``gr.HTML``. It starts empty."""
    folder = files(__name__)
    return gr.HTML(
        value=None,
        html_template=(folder / f"{name}.html").read_text("utf-8"),
        css_template=(folder / f"{name}.css").read_text("utf-8"),
        js_on_load=(folder / f"{name}.js").read_text("utf-8"),
        **settings,
    )


def content(**values: Any) -> str:
    """The value of a component: JSON, which its script reads."""
    return json.dumps(values, separators=(",", ":"))
