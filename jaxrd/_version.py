"""The version, in a file of its own: a figure that names what it trained with needs nothing else of the package."""

__version__ = "0.2.0.dev0"
