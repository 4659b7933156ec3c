"""What ``twinlens doctor`` looks at: catalogue, disk and index, each compared with the others."""
