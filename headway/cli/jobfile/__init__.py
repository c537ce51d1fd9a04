"""Job files: YAML or TOML of the proto's shape, with faults that name the line."""
