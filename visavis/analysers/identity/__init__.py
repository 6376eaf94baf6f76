"""Who somebody is, by comparing faces: encoders, their cache, the folder of known people, and the analyser."""
