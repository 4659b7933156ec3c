"""The worker: reads photos, embeds them, commits the vectors and keeps the index."""
