"""The handbook, and what writes its generated pages from the declarations in the code."""
