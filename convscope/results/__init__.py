"""What a verb gives back: arrays, a table and provenance; and the pictures drawn from them."""
