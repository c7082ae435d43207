"""PostgreSQL and Valkey from wheels, under a supervisor of our own."""
