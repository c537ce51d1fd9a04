"""Messages to a program of the user's own, over HTTP, signed."""
