"""The review console: pages over the services that the API and the command line call, with no logic of its own.

``app`` is the application and its rules (who may, what a form must say, which headers leave); a *screen* is one
file with ``PAGES``, each a path, a function from a ``Visit`` to what is ``Shown``, and a template of that name.
"""
