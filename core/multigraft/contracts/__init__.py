"""What a plugin author programs against; importing it imports no torch."""
