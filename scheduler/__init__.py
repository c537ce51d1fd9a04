"""The scheduler: decides which host runs what, when to try again, and what is lost."""
