"""The callers' door: validates and creates jobs, keeps datasets, blobs and models, receives results."""
