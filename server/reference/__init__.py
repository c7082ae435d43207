"""The reference: the API's own description and its codes, as pages that need no script and nothing from elsewhere."""
