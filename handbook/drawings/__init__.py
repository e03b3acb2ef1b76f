"""Pictures of concepts as SVG, drawn from the code's own tables where there are some.

In: nothing. Out: `docs/images/NAME.svg`, legible in light and dark, each with a title and a description for who does
not see it. ``python -m handbook.drawings --out docs/images`` writes them; a test compares, and measures contrast
and room.
"""
