"""Run by alembic: migrates on the connection which `schema.bring_up_to_date` hands over, in its transaction."""

from alembic import context

from amagasa.adapters.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
