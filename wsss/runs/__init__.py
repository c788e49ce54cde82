"""A run: which stages it has, whose files are whose, what becomes of its jobs."""
