"""The one optimization loop, and what it is made of: objectives, parameterizations, transforms,
regularizers, presets."""
