"""The rate governor: all of a platform's allowance, never more, shared by every process through Redis."""
