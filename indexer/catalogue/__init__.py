"""The catalogue: the truth about a library, in SQLite or PostgreSQL, and what is published of it.

The only room that imports SQLAlchemy and Alembic. May import: index.
"""
