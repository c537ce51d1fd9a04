"""Content-addressed bytes: taken in whole, checked and on disk, or not at all."""
