"""What is asked of an index, and what it answers."""
