"""Webhooks: who wants to hear of what, the messages that wait for them, and how these are signed."""
