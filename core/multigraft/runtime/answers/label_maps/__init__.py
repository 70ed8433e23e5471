"""Label maps: the class of every pixel, from files, polygons and run lengths, and back."""
