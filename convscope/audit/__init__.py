"""The audit of a classifier: what it gets wrong in a folder of photos, and why.

`audit.py` holds the verb. One pass runs the network on every photo (`forward_pass`), a second one
explains those that matter (`selection`, `explainer`); `measures`, `reasons` and `backgrounds` draw
the conclusions, and `page` writes them down.
"""
