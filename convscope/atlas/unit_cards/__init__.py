"""Unit cards: what each unit is tuned to, which classes it raises and lowers, whether people could
tell what it looks for, and what it is called."""
