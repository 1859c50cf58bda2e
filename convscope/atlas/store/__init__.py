"""Where an atlas is kept: Parquet parts in a folder or at an fsspec URL; writing, reading,
staging."""
