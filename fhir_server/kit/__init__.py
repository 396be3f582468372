"""Generic, FHIR-free: one noun per file."""
