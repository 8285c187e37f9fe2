"""The web app: search a library by example, see why two videos match, read its accuracy, look after it."""
