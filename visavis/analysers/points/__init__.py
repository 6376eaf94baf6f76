"""Points of a face: networks that say where eyes, nose, mouth and jaw are in a square around it."""
