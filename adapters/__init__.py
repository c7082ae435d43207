"""A folder for each platform, and the names that clients know; each enters by entry point, as a stranger's would."""
