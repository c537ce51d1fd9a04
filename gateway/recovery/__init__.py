"""What `headway recover`, `headway backup` and `headway restore` do, as roles of the gateway's own program."""
