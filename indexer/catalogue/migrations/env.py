"""Alembic's entry: runs the revisions on the connection it is handed, inside the caller's transaction."""

from alembic import context

from indexer.catalogue.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # SQLite has it too: a crash leaves either the old tables or the new ones
    render_as_batch=True,  # SQLite cannot alter a column in place
)
with context.begin_transaction():
    context.run_migrations()
