"""Terminology: which codes a value set has, what codes mean, and how they lie to one another.

https://hl7.org/fhir/R4/terminology-module.html

Start at `service.py`, which search, operations and validation share. A question is an `Inquiry`;
it answers from what is published with R4, from what is stored on the server or came with the
request, which it asks for through a `Library`, and from rules. What it cannot answer it refuses by
name: an answer is never a part of the truth.
"""
