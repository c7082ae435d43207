"""Connected accounts, and the grants that their tokens hang on."""
