"""Generators of real data sets as their users find them on disk: sheets with their quirks, folders of frames."""
