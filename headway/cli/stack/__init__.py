"""Everything on one machine: the processes of `headway up`, started, watched, restarted and stopped together."""
