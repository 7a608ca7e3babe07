"""Everything that needs a model or samples: audio in, the timeline of each call out."""
