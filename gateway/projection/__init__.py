"""The gateway's SQLite view of the jobs bucket: lists, filters and pages. Rebuilt from the bucket at any time."""
