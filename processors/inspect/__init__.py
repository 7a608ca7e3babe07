"""The judge: timeline in; violations, emotions, scorecards and alerts out."""
