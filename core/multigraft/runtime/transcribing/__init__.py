"""Long sounds: transcripts in segments with their times, a window after another, without torch."""
