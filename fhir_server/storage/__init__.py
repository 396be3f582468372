"""Versions of documents, their index terms, and small records. No FHIR rules live here."""
