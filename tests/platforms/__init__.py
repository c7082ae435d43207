"""Platforms that exist for tests alone: adapters and sandboxes of the kinds of certainty that no other one shows."""
