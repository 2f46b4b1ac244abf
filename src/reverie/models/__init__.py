"""Models, whoever's they are: one door to every provider, and models that are programs, for tests and demos."""
