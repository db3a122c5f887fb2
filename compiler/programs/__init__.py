"""Programs: the library, found, surveyed, and written as a data set."""
