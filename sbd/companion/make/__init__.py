"""Scripts that make committed files: weights, tables, bundled images."""
