"""papertrade: a self-hosted simulator of a US stock and options broker."""

__version__ = "0.2.0"
