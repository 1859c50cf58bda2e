"""The static site of an atlas: templates, pages and the similarity of units."""
