"""The pages on which end users connect their accounts: plain HTML that needs no script."""
