"""Detectors, segmenters and networks without a head as people have them, small and with random
weights: name -> a function that gives the module. All of them take photos of 64 x 64."""
