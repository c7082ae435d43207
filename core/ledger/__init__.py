"""The ledger of deliveries: what is to go out, what is under way, and what became of it."""
