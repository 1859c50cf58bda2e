"""The live microscope: routes that call verbs, and one page. No arithmetic, and nothing from a
request is ever a path, a model's name or a module."""
