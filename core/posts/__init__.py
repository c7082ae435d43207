"""Posts: taken in, kept, and shown to those who sent them."""
