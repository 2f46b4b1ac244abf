"""Who works on what: engines that run sessions, one at a time each, in one process or in many."""
