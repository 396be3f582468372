"""A FHIR R4 (4.0.1) health data server.

Each package is a floor and imports only from floors below it:

    cli > app > system > config > api > interactions > search, validation >
    terminology > fhirpath > definitions > fhir, storage > errors, observability > kit

Start reading at `interactions/table.py`: it is the whole REST surface on one page.
"""

__version__ = "0.1.0"
