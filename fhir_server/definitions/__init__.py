"""The published definitions of FHIR R4: types, elements, search parameters, value sets.

Start with `registry.py`. What it reads is made by `packing`.
"""
