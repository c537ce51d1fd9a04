"""What the commands that listen to events share: which ones, from when, how they are read and shown."""
