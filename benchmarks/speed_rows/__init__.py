"""The rows of the speed benchmark: each file gives `run(setting)`, an iterator over rows, and is
named as its group."""
