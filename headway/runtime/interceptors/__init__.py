"""What happens around every call, one concern a file; `calls` puts them in order."""
