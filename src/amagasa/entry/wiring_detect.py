"""Wiring of what detection needs: sources and content. Apart from `wiring`, so that `detect` loads no store and no web."""
