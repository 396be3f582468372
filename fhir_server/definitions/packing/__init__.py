"""Making a package from published definitions: only run when definitions change.

`scripts/pack-definitions SOURCE` runs it. The server itself never imports it.
"""
