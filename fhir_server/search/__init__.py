"""Search: expressions become extractors, query strings become plans.

https://hl7.org/fhir/R4/search.html
"""
