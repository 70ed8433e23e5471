"""A bundle as a page that answers in the browser, from any host of files."""
