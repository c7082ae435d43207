"""Media: what a file really is, what a platform takes, and how the one is made to fit the other."""
