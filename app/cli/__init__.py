"""``rspnet-app``: serve the page over a library, and keep the file of its users.

May import every room of app.
"""
