"""A page as a browser sees it."""

import html.parser


class Page(html.parser.HTMLParser):
    """Collects what a browser would see, and checks that each element is closed."""

    VOID = ("meta", "img", "br", "link")

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.texts, self.missing_alt, self.open = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append(tag)
        self.addresses += [
            (tag, values[name]) for name in ("src", "href", "xlink:href", "srcset", "action") if name in values
        ]
        if tag == "img" and not values.get("alt"):
            self.missing_alt.append(values)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_data(self, data):
        self.texts.append(data)
