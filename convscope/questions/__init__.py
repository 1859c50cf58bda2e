"""Questions: what is asked of an output, as one score per image."""
