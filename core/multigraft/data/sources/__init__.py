"""Sources: files and folders of many formats, read into tables."""
