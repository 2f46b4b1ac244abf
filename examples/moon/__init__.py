"""Drones land on a simulated Moon, flown by a commander, a detector and a navigator."""
