"""A folder for each platform; each enters by entry point, as a stranger's would."""
