"""Photos: a file, PIL image, array or tensor becomes float NCHW in [0, 1]; samples; sources of many
photos."""
