"""What every other folder may use: registry, schema, progress, atomic files, optional imports. No
torch in here."""
