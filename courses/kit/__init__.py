"""What notebooks import."""
