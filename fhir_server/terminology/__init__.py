"""Terminology: which codes a value set has, and which codes lie above or below another.

https://hl7.org/fhir/R4/terminology-module.html

Start at `service.py`. It answers from what is published with R4 and from what is stored on the
server, which it asks for through a `Library`. What it cannot answer it refuses by name: an answer
is never a part of the truth.
"""
