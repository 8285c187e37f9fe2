"""The page: its tabs, the components that Gradio lacks, how it looks and how it speaks.

May import: session, serving.
"""
