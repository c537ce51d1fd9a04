"""The trainer host: an agent that keeps the lease, and a child process that trains."""
