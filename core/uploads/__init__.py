"""Uploads: the media files we hold, each probed before it is promised to a platform."""
