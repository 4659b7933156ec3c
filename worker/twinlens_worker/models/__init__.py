"""Descriptors: the networks that turn a photo into a vector, by name."""
