"""A command that cannot do what was asked says why in a sentence and ends."""


class Refusal(Exception):
    """Why a command cannot go on; its words are for the person at the terminal."""
