"""One module a tab; each has one function that is called inside its ``gr.Tab`` and lays it out."""
