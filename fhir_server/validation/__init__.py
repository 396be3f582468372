"""Validation: whether a resource is what the definitions say, and what to mend if not.

https://hl7.org/fhir/R4/validation.html

Start with `validator.py`. A fast pass says yes to nearly everything that is right; only what it
does not accept is walked again by the slow pass, which names every issue.
"""
