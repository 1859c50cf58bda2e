"""The pictures of an atlas's units: jobs, the renderer, the mosaic of an activation atlas."""
