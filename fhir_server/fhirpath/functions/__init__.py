"""Functions of FHIRPath, a file per chapter: http://hl7.org/fhirpath/N1/#functions.

`table` has them all.
"""
