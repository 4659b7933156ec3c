"""How fast and how good: commands that print markdown tables (see docs/benchmarks.md)."""
