"""Operators of FHIRPath, a file per chapter: http://hl7.org/fhirpath/N1/#operations."""
