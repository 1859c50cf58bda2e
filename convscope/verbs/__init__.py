"""The public verbs, one a file: each composes the folders before it and returns a `Result`."""
