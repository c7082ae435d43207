"""Changes: what a client has done on a platform beside publishing, one at a time for each thing, and never guessed."""
