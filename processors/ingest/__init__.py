"""Doors: audio and metadata of calls come in and become records of the media topics."""
