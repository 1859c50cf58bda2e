"""How large a photo may be."""

PIXEL_LIMIT = 128 * 1024**2
"""Photos with more pixels are refused as decompression bombs. Between Pillow's warning (89 million)
and its error (179 million), and above the 102 million of the largest camera sensors sold."""
