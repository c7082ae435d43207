"""PostgreSQL, the one place of truth: connections, named SQL, migrations, shared transactions."""
