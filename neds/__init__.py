"""NEDS: neural encoding and decoding at scale, as a library that the workflow's stages are built from."""

__version__ = "0.2.0"
