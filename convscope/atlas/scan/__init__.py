"""One pass over many photos: the best examples of every unit, sampled activations, crops."""
