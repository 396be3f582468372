"""FHIRPath: lexer, parser and tree of http://hl7.org/fhirpath/N1/.

`parser.parse` is the way in.
"""
