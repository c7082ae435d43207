"""An OAuth 2 client, which keeps nothing: addresses made, answers read, refusals told apart."""
