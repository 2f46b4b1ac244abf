"""A dream written by a model: an agent of our own runtime that sees data, and can do nothing but read and propose."""
