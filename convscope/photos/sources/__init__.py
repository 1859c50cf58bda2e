"""Where many photos come from: a folder, Parquet, webdataset archives, a Hugging Face dataset.

They are listed in one fixed order without being read, so that millions of them take no memory, and
read by what was listed.
"""
