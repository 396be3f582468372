"""Search in its parts.

finding     a page of matches, in whatever order, in both directions
containing  matches that are contained in others
including   what the matches refer to, and what refers to them
linking     self, first, previous and next
explaining  the plan in place of the matches
"""
