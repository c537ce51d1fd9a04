"""What the services of headway share: `cli | testing > client > runtime > contract > v1`, imports pointing down."""
