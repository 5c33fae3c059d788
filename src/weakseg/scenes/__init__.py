"""The drawing of the built-in scenes: layout, figures, backdrops and light.

``layout`` decides cheaply what a scene shows and where; ``render`` draws it. Nothing here reads a file.
"""
