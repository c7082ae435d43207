"""Insights: the figures that platforms tell of posts and accounts, kept as they were told."""
