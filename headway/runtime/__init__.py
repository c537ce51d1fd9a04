"""How a service of headway lives: clock, loops, settings, logs, gRPC, records and streams."""
