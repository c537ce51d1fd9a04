"""The command `headway`: one file a command group."""
