"""What one client, and all clients together, may ask for."""

from __future__ import annotations

UPLOAD_BYTES = 24 * 2**20
"""Of one photo; the files of today's phones are below half of it."""

UPLOAD_PIXELS = 50_000_000
"""Of one photo: the largest sensors of today's phones with all pixels on."""

FRAME_BYTES, FRAME_PIXELS = 2**20, 1280 * 1280
"""Of one frame of a camera."""

HELD_PHOTO_BYTES = 256 * 2**20
"""Of all photos' pixels; the photo that was looked at longest ago is dropped first."""

CACHED_BYTES = 64 * 2**20
"""Of all answers that are kept."""

QUICK_QUEUE = 192
"""Quick questions that may wait; 64 people with a few each."""

CLIENT_QUEUE = 24
"""Of these, of one page: more than its views ask at once, whoever clicks."""

LONG_QUEUE = 24
"""Optimizations and slow methods that may wait."""

STREAMS = 96
"""Pages that may watch work at once."""

LONGEST_QUERY = 4096
"""Characters of an address."""

OPTION_BOUNDS = {
    "batch": 64,
    "size": 512,
    "steps": 1024,
    "samples": 4096,
    "top": 50,
    "count": 256,
    "cells": 8,
}
"""Largest values of options that decide how much memory or time a request takes."""

LARGEST_NUMBER = 4096
"""Largest value of any other whole number."""

UNITS_AT_ONCE = 16
"""Units that one optimization makes pictures of."""
