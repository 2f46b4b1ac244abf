"""Clerks draft, sign, convert and file legal documents in a simulated office with finicky tools."""
