"""One page that tells what happened in a run: figures, curves, pictures, settings, where it all came from.

The page is a single file without network: charts are SVG, pictures are embedded. Every number on it carries
the metrics file and the place in it that it was read from.
"""
