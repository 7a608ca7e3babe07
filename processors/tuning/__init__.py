"""Training, measuring and describing the shipped Mandarin speech model, and the speech synthesis that feeds it."""
