"""Organizations, their teams, and the API keys that open them."""
