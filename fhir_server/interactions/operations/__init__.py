"""Operations: what is asked for by `$name`, be it of the system, of a type or of one resource.

https://hl7.org/fhir/R4/operations.html

Start at `table.py`. What an operation takes, and where it can be called, is read from its
OperationDefinition; a new one joins by a line of the table.
"""
