"""The checks of `headway doctor`."""
