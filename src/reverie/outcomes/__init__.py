"""Outcomes: what a rubric asks for, and whether the work does it. Decides; acts on nothing but files and checks."""
