"""The verbs of FHIR, and the one door to resources. `table.py` is the whole REST surface."""
