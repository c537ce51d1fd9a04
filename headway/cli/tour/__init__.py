"""What `headway demo` shows, step by step."""
