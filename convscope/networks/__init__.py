"""Networks: a Model is a network with its preprocessing, labels, layout and identity; layers and
units by name."""
