"""What happened, and the outbox of those who want to hear of it."""
