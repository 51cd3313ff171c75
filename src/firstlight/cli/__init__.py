"""The door for a terminal: parses what was typed, calls what the Python door calls, and prints."""
